"""`trimtab check` of bad input: every error at once, with file, line, field path and remedy."""

import shutil

import pytest

from trimtab.local.check import check_project

ROWS = 60
PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: shop
sources:
  orders:
    files: data/orders.csv
    load: {key: [id]}
tables: {bought: sql/bought.sql}
expectations: expectations.yaml
examples:
  table: bought
  key: [id]
  time: sold
  label: {column: late, matureAfter: 1d}
features: features.py
training: {seed: 7, resources: {memory: 4Gi}}
evaluation:
  metrics: [log_loss]
  gates:
  - {metric: roc_auc, atLeast: 0.6}
  slices: [city]
"""
SQL = "select id, sold, city, price,\n       price > 50 as late\nfrom orders\n"
FEATURES = """import numpy as np
from trimtab.features import Request

REQUEST = Request(city="string", price="number")


def transform(rows):
    return {"city": rows["city"], "price": np.log1p(np.abs(rows["price"]))}
"""
MODEL = """import numpy as np
from sklearn.linear_model import LogisticRegression


def build(schema, **params):
    return LogisticRegression()
"""


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    for name in ("data", "sql"):
        (folder / name).mkdir()
    rows = (f"{i},2024-01-01T00:{i:02d}:00Z,{'york' if i % 2 else 'hull'},{i * 7 % 100}" for i in range(ROWS))
    (folder / "data/orders.csv").write_text("id,sold,city,price\n" + "\n".join(rows) + "\n")
    (folder / "trimtab.yaml").write_text(PROJECT)
    (folder / "sql/bought.sql").write_text(SQL)
    (folder / "features.py").write_text(FEATURES)
    (folder / "expectations.yaml").write_text("orders:\n- {check: unique, columns: [id]}\n")
    return folder


@pytest.fixture
def shop(shop_folder, tmp_path):
    folder = tmp_path / "shop"
    shutil.copytree(shop_folder, folder)
    return folder


def changed(folder, file, *pairs):
    text = (folder / file).read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    (folder / file).write_text(text)


def told(folder):
    return [
        (one.file, one.line, one.path, f"{one.message} | {one.remedy}")
        for one in check_project(folder).problems
    ]


def test_a_project_in_order_has_nothing_to_mend(shop):
    assert told(shop) == []


def test_a_search_names_parameters_that_build_takes(shop):
    (shop / "model.py").write_text(MODEL.replace("**params", "strength=1.0, *, rounds=9"))
    space = "space: {strength: {choices: [1.0]}, round: {low: 1, high: 9}}"
    changed(
        shop,
        "trimtab.yaml",
        ("training: {", f"model: model.py\nsearch: {{trials: 3, {space}}}\ntraining: {{"),
    )
    (file, line, path, text) = told(shop)[0]
    assert (file, line, path) == ("trimtab.yaml", 17, "search.space.round")
    assert text == "model.py takes no parameter 'round' | did you mean `rounds`?"


def test_every_wrong_field_is_told_at_once_with_its_line(shop):
    changed(shop, "trimtab.yaml", ("matureAfter: 1d", "matureAftr: 1 day"), ("seed: 7", "seed: -7"),
            ("memory: 4Gi", "memory: 4GB"), ("sql/bought.sql", "sql/baught.sql"))  # fmt: skip
    found = told(shop)
    assert [(line, path) for _, line, path, _ in found] == [
        (8, ""),
        (14, "examples.label.matureAftr"),
        (16, "training.resources.memory"),
        (16, "training.seed"),
    ]
    assert "'sql/baught.sql', which is not there" in found[0][3]
    assert "did you mean `matureAfter`?" in found[1][3]
    assert "512Mi" in found[2][3]
    assert "-7" in found[3][3]


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "said"),
    [
        ("trimtab.yaml", "matureAfter: 1d", "matureAfter: 1 day", (14, "examples.label.matureAfter"), "7d or 1h30m"),
        ("trimtab.yaml", "column: late", "column: lade", (14, "examples.label.column"), "did you mean `late`?"),
        ("trimtab.yaml", "column: late", "column: sold", (14, "examples.label.column"), "no label"),
        ("trimtab.yaml", "slices: [city]", "slices: [town]", (21, "evaluation.slices[0]"), "no column 'town'"),
        ("trimtab.yaml", "time: sold", "time: city", (13, "examples.time"), "holds string, no time"),
        ("trimtab.yaml", "load: {key: [id]}", "load: {key: [idd]}", (5, "sources.orders"), "did you mean 'id'?"),
        ("trimtab.yaml", "data/orders.csv", "data/order.csv", (5, "sources.orders"), "there is no file"),
        ("trimtab.yaml", "roc_auc, atLeast", "auc, atLeast", (20, "evaluation.gates[0].metric"), "`roc_auc`"),
        ("trimtab.yaml", "[log_loss]", "[r2]", (18, "evaluation.metrics[0]"), "a metric of regression"),
        ("trimtab.yaml", "training: {", "search: {trials: 3, metric: auc}\ntraining: {",
         (16, "search.metric"), "did you mean `roc_auc`?"),
        ("trimtab.yaml", "training: {", "search: {trials: 3, space: {logistic: {c: {choices: [1]}}}}\ntraining: {",
         (16, "search.space.logistic.c"), "logistic takes no parameter 'c' | did you mean `C`?"),
        (
            "trimtab.yaml", "training: {",
            "search: {trials: 3, space: {extra_trees: {n_jobs: {choices: [2]}}}}\ntraining: {",
            (16, "search.space.extra_trees.n_jobs"), "extra_trees takes no parameter 'n_jobs' | it takes bootstrap",
        ),
        ("trimtab.yaml", "training: {", "training: {reader: ray-data, ",
         (16, "training"), "for workers of Ray | say workers: 2 or more, or where: kuberay"),
        ("trimtab.yaml", "[log_loss]", "[ndcg]", (18, "evaluation.metrics[0]"), "ranks the rows of one group"),
        ("trimtab.yaml", "slices: [city]", "group: town", (21, "evaluation.group"), "no column 'town'"),
        (
            "trimtab.yaml", "slices: [city]", "fairness: {attributes: [sex]}",
            (21, "evaluation.fairness.attributes[0]"), "no column 'sex'",
        ),
        (
            "trimtab.yaml", "slices: [city]",
            "behaviour: [{test: invariance, name: town, set: {town: [hull]}}]",
            (21, "evaluation.behaviour[0]"), "'town' is no input of the model",
        ),
        (
            "trimtab.yaml", "slices: [city]",
            "behaviour: [{test: direction, name: dear, add: {city: 1}, answer: rises}]",
            (21, "evaluation.behaviour[0]"), "only a number can be added to",
        ),
        (
            "trimtab.yaml", "slices: [city]", "behaviour: [{test: minimum_functionality, name: easy}]",
            (21, "evaluation.behaviour[0]"), "atLeast, atMost or both",
        ),
        ("trimtab.yaml", "table: bought", "table: boght", (1, ""), "neither a table nor a source"),
        ("trimtab.yaml", "name: shop", "name: shop\nname: shop", (4, "name"), "given twice, first on line 3"),
        ("trimtab.yaml", "features: features.py", "features: ../f.py", (15, "features"), "leaves the project's"),
        ("sql/bought.sql", "from orders", "from ordrs", (3, ""), "did you mean 'orders'?"),
        ("sql/bought.sql", "price > 50", "prize > 50", (2, ""), '"prize" not found'),
        ("sql/bought.sql", "price,", "price,,", (1, ""), "syntax error"),
        ("expectations.yaml", "[id]", "[idd]", (2, "orders[0].columns[0]"), "did you mean `id`?"),
        ("expectations.yaml", "unique", "uniqe", (2, "orders[0].check"), "did you mean `unique`?"),
        ("expectations.yaml", "orders:", "order:", (1, "order"), "did you mean `orders`?"),
        ("features.py", 'city="string"', 'town="string"', (0, ""), "REQUEST names 'town'"),
        ("features.py", "import numpy as np", "import numpy as np\nimport pandas", (2, ""), "imports pandas"),
        ("features.py", 'rows["city"],', 'rows["city"]', (8, ""), "not Python"),
        ("features.py", 'np.log1p(np.abs(rows["price"]))', 'rows["price"] - np.nanmean(rows["price"])', (0, ""),
         "looks at other rows"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_where_it_stands(shop, file, old, new, where, said):
    changed(shop, file, (old, new))
    found = told(shop)
    assert any((at, line, path) == (file, *where) and said in text for at, line, path, text in found), found


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        (MODEL.replace("def build", "def bild"), 1, "defines no `build`"),
        (MODEL.replace("LogisticRegression()", "LogisticRegression("), 6, "not Python"),
        (MODEL.replace("return LogisticRegression()", "raise ValueError('as asked')"), 6, "as asked"),
        (MODEL.replace("return LogisticRegression()", "return 7"), 0, "no fit and predict"),
        (MODEL + "\n\nclass Odd(LogisticRegression):\n    def predict_proba(self, x):\n"
         "        return np.full((len(x), 2), np.nan)\n\n\ndef build(schema):\n    return Odd()\n", 0, "NaN"),
    ],
    ids=["no build", "syntax", "raises", "no estimator", "NaN"],
)  # fmt: skip
def test_a_model_py_is_tried(shop, code, line, said):
    changed(shop, "trimtab.yaml", ("features: features.py", "features: features.py\nmodel: model.py"))
    (shop / "model.py").write_text(code)
    assert [(file, at) for file, at, _, text in told(shop) if said in text] == [("model.py", line)]


def test_a_good_model_py_passes(shop):
    changed(shop, "trimtab.yaml", ("features: features.py", "features: features.py\nmodel: model.py"))
    (shop / "model.py").write_text(MODEL)
    assert told(shop) == []


def test_a_step_that_cannot_be_decided_is_told_with_the_number(shop):
    with (shop / "trimtab.yaml").open("a") as file:
        file.write("""traffic: {requestsPerDay: 20}
rollout:
  steps:
  - {name: shadow, shadow: {percent: 100}, until: {minDuration: 1d, maxDuration: 3d}}
  - {name: first, canary: {percent: 20}, until: {minDuration: 1d, maxDuration: 5d}}
  checks:
  - {name: loss, metric: log_loss, noWorseThanStableBy: 0.02, block: 1d, steps: [shadow], require: Pass}
  - {name: errors, metric: error_rate, noWorseThanStableBy: 0.02, block: request, steps: [first], require: Pass}
""")
    found = {path: (line, text) for _, line, path, text in told(shop)}
    assert found["rollout.steps[0]"][0] == 25
    assert "within 3d" in found["rollout.steps[0]"][1]
    assert "make maxDuration at least" in found["rollout.steps[0]"][1]
    assert "sees about 20 in 5d" in found["rollout.steps[1]"][1]


def test_no_project_and_no_platform_are_told(tmp_path, shop):
    (tmp_path / "none").mkdir()
    assert "holds no trimtab.yaml" in told(tmp_path / "none")[0][3]
    found = check_project(shop, "cluster").problems
    assert "there is no platform.yaml" in found[0].message


def test_without_the_data_extra_files_are_still_checked(shop, monkeypatch):
    from trimtab.local.check import findings

    monkeypatch.setattr(findings, "missing", lambda extra: ("duckdb",))
    found = check_project(shop)
    assert found.problems == ()
    assert any("trimtab[data]" in note for note in found.notes)

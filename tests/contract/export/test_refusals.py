"""What a person may write wrong, and what they are told."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("learning")


def train(flights: Any, featurized: Any, model: str, tmp_path: Path) -> Any:
    from trimtab.steps.train import model_source
    from trimtab.steps.train import train as step

    (tmp_path / "model.py").write_text(model)
    project = flights.project(model="model.py")
    source = model_source(project, tmp_path)
    return step(
        project, source, featurized.pointer, flights.engine, flights.tables, None, tmp_path / "trained"
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "def build(schema, **params):\n    raise RuntimeError('no luck')\n",
            r"build raised RuntimeError: no luck \(line 2\)",
        ),
        ("x = 1 / 0\n", r"ZeroDivisionError.*\(line 1\)"),
        ("def biuld(schema): ...\n", "has no function build"),
        ("def build(schema):\n    return 3\n", "build gave int"),
        (
            "from sklearn.linear_model import Ridge\ndef build(schema):\n    return Ridge()\n",
            "gives no probabilities",
        ),
        (
            "class Broken:\n    def fit(self, x, y):\n        raise ValueError('cannot')\n"
            "    def predict_proba(self, x): ...\ndef build(schema):\n    return Broken()\n",
            r"fit raised ValueError: cannot \(line 3\)",
        ),
        (
            "class Odd:\n    def fit(self, x, y): return self\n"
            "    def predict_proba(self, x): return x[:, :2] * 0 + .5\ndef build(schema):\n    return Odd()\n",
            "cannot be exported to ONNX",
        ),
    ],
)
def test_a_wrong_model_py_is_told_with_its_line(
    flights: Any, featurized: Any, tmp_path: Path, model: str, said: str
) -> None:
    from trimtab.steps.fitting.refusals import ModelRefused

    with pytest.raises(ModelRefused, match=said) as refused:
        train(flights, featurized, model, tmp_path)
    assert refused.value.remedy


def test_a_model_that_answers_nan_is_refused(flights: Any, featurized: Any) -> None:
    import numpy as np

    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.fitting.contract import answers
    from trimtab.steps.fitting.refusals import ModelRefused

    class Nan:
        def predict_proba(self, x: Any) -> Any:
            answer = np.full((len(x), 2), 0.5)
            answer[3] = np.nan
            return answer

    schema = FeatureSchema(("a",), (), "binary", ("0", "1"))
    with pytest.raises(ModelRefused, match="NaN or infinity for 1 of 9 rows, first row 3"):
        answers("model.py", Nan(), np.zeros((9, 1), np.float32), schema)


def small_project(small: Any, rows: dict[str, Any], **changes: Any) -> Any:
    import pyarrow as pa

    table = pa.table(rows)
    kinds = {"double": "number", "int64": "integer", "string": "string", "bool": "boolean"}
    small.add("t", table, {name: kinds[str(table.schema.field(name).type)] for name in table.column_names})
    settings = {
        "tables": {"t": "t.sql"},
        "examples": {"table": "t", "label": {"column": "y"}},
        "evaluation": {},
    }
    settings |= {"training": {"split": {"validation": 0.2, "test": 0.2}}, **changes}
    made = small.featurize(None, None, **settings)
    return small.project(**settings), made


def learn(small: Any, project: Any, made: Any) -> Any:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export
    from trimtab.steps.refit import refit
    from trimtab.steps.train import model_source
    from trimtab.steps.train import train as step

    source = model_source(project, small.root)
    work, again = small.root / "trained", small.root / "refitted"
    step(project, source, made.pointer, small.engine, small.tables, None, work)
    evaluate(project, work, made.pointer, small.engine, small.tables, None, small.root / "report.html")
    refit(project, source, work, made.pointer, small.tables, again)
    return export(project, again, made.pointer, None, small.engine, small.tables, small.root / "models")


def test_a_label_of_one_class_is_refused(small: Any) -> None:
    from trimtab.steps.fitting.refusals import TrainingRefused

    project, made = small_project(small, {"x": [float(i) for i in range(300)], "y": [True] * 300})
    with pytest.raises(TrainingRefused, match=r"only true in the .* training rows"):
        learn(small, project, made)


def test_a_feature_that_is_all_null_does_no_harm(small: Any) -> None:
    import pyarrow as pa

    rows = {
        "x": [float(i % 7) for i in range(400)],
        "nothing": pa.nulls(400, pa.float64()),
        "no_text": pa.nulls(400, pa.string()),
        "y": [i % 7 > 3 for i in range(400)],
    }
    project, made = small_project(small, rows)
    told = (
        "has no value in any of 400 rows; mend what makes it in table 't' or in trimtab.yaml, or leave it out"
    )
    assert made.warnings == (f"feature 'nothing' {told}", f"feature 'no_text' {told}")
    assert learn(small, project, made).difference <= 1e-5


@pytest.mark.parametrize("family", ["gradient_boosting", "extra_trees", "logistic"])
def test_several_classes_of_text_are_learned(small: Any, family: str) -> None:
    rows = {
        "x": [float(i % 9) for i in range(450)],
        "word": ["abc"[i % 3] for i in range(450)],
        "y": [("low", "middle", "high")[i % 9 // 3] for i in range(450)],
    }
    project, made = small_project(small, rows, model={"family": family})
    assert made.plan.classes == ("high", "low", "middle")
    assert learn(small, project, made).difference <= 1e-5


@pytest.mark.parametrize("family", ["gradient_boosting", "extra_trees"])
def test_a_number_is_learned_by_regression(small: Any, family: str) -> None:
    rows = {"x": [float(i) for i in range(400)], "y": [2.5 * i for i in range(400)]}
    project, made = small_project(small, rows, model={"family": family})
    assert made.plan.task == "regression"
    assert learn(small, project, made).difference <= 1e-5


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e6])
@pytest.mark.parametrize(
    "model",
    [
        {"family": "gradient_boosting", "params": {"early_stopping": False, "min_samples_leaf": 5}},
        {"family": "extra_trees"},
    ],
)
def test_leaves_that_are_larger_than_their_sum_are_exported_exactly(
    small: Any, model: dict[str, Any], scale: float
) -> None:
    import numpy as np

    draw = np.random.default_rng(7)
    x, z, noise = draw.normal(size=(3, 9_000))
    word = draw.choice(["a", "b", "c"], 9_000)
    rows = {
        "x": x.tolist(),
        "z": z.tolist(),
        "word": word.tolist(),
        "y": (scale * (np.sin(2 * x) + z * (word == "a") + noise)).tolist(),
    }
    project, made = small_project(small, rows, model=model)
    assert learn(small, project, made).difference < 1e-7


@pytest.mark.parametrize("label", ["number", "word"])
def test_trees_at_random_have_no_smaller_form(small: Any, label: str) -> None:
    import numpy as np

    from trimtab.features.schema import Field
    from trimtab.steps.fitting.forms import Form, NoSuchForm

    y: list[Any] = [2.5 * i if label == "number" else "ab"[i % 2] for i in range(400)]
    rows = {"x": [float(i) for i in range(400)], "y": y}
    project, made = small_project(small, rows, model={"family": "extra_trees"})
    onnx = (learn(small, project, made).folder.path / "model.onnx").read_bytes()
    for form, because in (
        (Form(prune=0.5), "no hidden layer"),
        (Form(quantize="static"), "no matrix product"),
    ):
        with pytest.raises(NoSuchForm, match=because):
            form.of(onnx, (Field("x", "number"),), {"x": np.arange(400.0)})


def test_trees_on_several_threads_are_refused_for_they_would_not_answer_twice_alike(small: Any) -> None:
    from trimtab.steps.fitting.refusals import ModelRefused

    rows = {"x": [float(i) for i in range(400)], "y": [2.5 * i for i in range(400)]}
    project, made = small_project(small, rows, model={"family": "extra_trees", "params": {"n_jobs": 2}})
    with pytest.raises(ModelRefused, match="extra_trees takes no n_jobs"):
        learn(small, project, made)


def test_too_few_rows_say_how_many_there_are(small: Any) -> None:
    from trimtab.steps.fitting.refusals import TrainingRefused

    project, made = small_project(small, {"x": [1.0, 2.0, 3.0], "y": [True, False, True]})
    with pytest.raises(TrainingRefused, match="training rows are 1"):
        learn(small, project, made)


def test_a_metric_of_another_task_is_refused(small: Any) -> None:
    from trimtab.api.errors import InputRefused

    rows = {"x": [float(i) for i in range(200)], "y": [i % 2 == 0 for i in range(200)]}
    project, made = small_project(small, rows, evaluation={"metrics": ["r2"]})
    with pytest.raises(InputRefused):
        learn(small, project, made)

"""A transform must treat each row alone: those that do not are found, those that do pass."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.features.check import check_features, findings
from trimtab.features.definition import FeaturesRefused, load_features
from trimtab.features.imports import forbidden_imports

HEAD = (
    'import numpy as np\nfrom trimtab.features import Request\nREQUEST = Request(x="number", word="string")\n'
)
IMPURE = {
    "a mean over the rows": '{"x": rows["x"] - np.nanmean(rows["x"])}',
    "a sort": '{"x": np.sort(rows["x"])}',
    "the row before": '{"x": np.concatenate([rows["x"][:1], rows["x"][:-1]])}',
    "the number of rows": '{"x": rows["x"] + (len(rows["x"]) == 1)}',
    "a random draw": '{"x": np.random.default_rng().random(len(rows["x"]))}',
    "codes by first appearance": '{"x": np.unique(rows["word"].astype(str), return_inverse=True)[1] * 1.0}',
    "another type for no rows": '{"word": np.array([w.upper() for w in rows["word"]])}',
}
PURE = {
    "arithmetic": '{"x": np.log1p(np.abs(rows["x"]))}',
    "missing values": '{"x": np.isnan(rows["x"]), "word": np.where(rows["word"] == "", "none", rows["word"])}',
    "text with its type": '{"word": np.array([w.upper() for w in rows["word"]], dtype=object)}',
}


def sample() -> dict[str, Any]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=60)
    x[::7] = np.nan
    return {"x": x, "word": draw.choice(np.array(["a", "b", ""], object), 60)}


def written(folder: Path, answer: str) -> Path:
    path = folder / "features.py"
    path.write_text(f"{HEAD}def transform(rows):\n    return {answer}\n")
    return path


@pytest.mark.parametrize("answer", IMPURE.values(), ids=IMPURE.keys())
def test_a_transform_that_looks_beyond_its_row_is_found(tmp_path: Path, answer: str) -> None:
    assert findings(written(tmp_path, answer), sample())


@pytest.mark.parametrize("answer", PURE.values(), ids=PURE.keys())
def test_a_transform_of_each_row_alone_passes(tmp_path: Path, answer: str) -> None:
    assert findings(written(tmp_path, answer), sample()) == []


def test_a_transform_that_writes_into_its_input_is_found(tmp_path: Path) -> None:
    path = tmp_path / "features.py"
    path.write_text(f"{HEAD}def transform(rows):\n    rows['x'][:] = 0\n    return {{'x': rows['x']}}\n")
    (found,) = findings(path, sample())
    assert "read-only" in found.message
    assert "line 5" in found.message


def test_the_check_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert check_features(written(tmp_path, PURE["missing values"]), sample()) == []
    shuffled, alone = check_features(written(tmp_path, IMPURE["the row before"]), sample())
    assert "when the rows are shuffled" in shuffled.message
    assert "alone, but" in alone.message
    (ended,) = check_features(written(tmp_path, '__import__("os")._exit(3)'), sample())
    assert "status 3" in ended.message


def test_forbidden_imports_are_named_with_their_line() -> None:
    source = "import math\nimport numpy.linalg\nfrom trimtab.features import View\ndef f():\n    import pandas as pd\n"
    assert [(found.module, found.line) for found in forbidden_imports(source)] == [("pandas", 5)]
    assert [found.module for found in forbidden_imports("from trimtab.steps import x\nfrom . import y")] == [
        "trimtab.steps",
        ".",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = ", r"SyntaxError.*line 1"),
        ("import nothing_of_this_name", r"No module named.*line 1"),
        ("x = 1", "REQUEST is missing"),
        ("REQUEST = 3", "REQUEST is no Request"),
        (f"{HEAD}VIEWS = (3,)", "VIEWS holds 3"),
        (f"{HEAD}transform = 3", "transform is no function"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused(tmp_path: Path, source: str, said: str) -> None:
    path = tmp_path / "features.py"
    path.write_text(source)
    with pytest.raises(FeaturesRefused, match=said) as refused:
        load_features(path)
    assert str(path) in refused.value.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("3", "gave int"),
        ("{}", "gave dict"),
        ('{"x": rows["x"][:2]}', r"shape \(2,\) for 60 rows"),
        ('{"x": np.zeros((len(rows["x"]), 2))}', r"shape \(60, 2\)"),
        ('{"x": np.zeros(len(rows["x"]), "datetime64[s]")}', "datetime64"),
        ('{"x": rows["z"]}', r"KeyError: 'z' \(line 5\)"),
    ],
)
def test_a_wrong_answer_is_refused(tmp_path: Path, answer: str, said: str) -> None:
    definition = load_features(written(tmp_path, answer))
    with pytest.raises(FeaturesRefused, match=said):
        definition.features(sample())

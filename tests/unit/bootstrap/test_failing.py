"""Whatever a component raises is left where the runner of its pod finds it."""

import importlib
import json
import re
from pathlib import Path

import pytest

from trimtab.api.errors import DataRefused, ExitStatus
from trimtab.bootstrap.failing import tells_failure

ROOT = Path(__file__).parents[3]
CALLED = re.compile(r"from trimtab\.bootstrap import (\w+)\n\n    (?:return |\w+ = )?\1\.(\w+)\(")


@tells_failure
def judge(word: str) -> str:
    if word == "refuse":
        raise DataRefused("column 'ö' holds\n text", remedy="mend it")
    if word == "break":
        raise KeyError("x" * 5000)
    return word


def test_every_component_tells_its_failure() -> None:
    components = sorted((ROOT / "components").glob("*/component.py"))
    assert len(components) > 10
    for component in components:
        [(module, name)] = CALLED.findall(component.read_text())
        task = getattr(importlib.import_module(f"trimtab.bootstrap.{module}"), name)
        assert hasattr(task, "__wrapped__"), f"{module}.{name}"


def test_a_refusal_is_left_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "termination-log"
    monkeypatch.setenv("TRIMTAB_TASK_FAILURE", str(left))
    assert judge("well") == "well"
    assert not left.exists()
    with pytest.raises(DataRefused):
        judge("refuse")
    told = {"type": "DataRefused", "sentence": "column 'ö' holds text", "remedy": "mend it"}
    assert json.loads(left.read_text()) == {**told, "status": ExitStatus.INPUT}


def test_a_fault_fits_into_what_kubernetes_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "termination-log"
    monkeypatch.setenv("TRIMTAB_TASK_FAILURE", str(left))
    with pytest.raises(KeyError):
        judge("break")
    assert left.stat().st_size < 4096
    told = json.loads(left.read_text())
    assert (told["type"], told["status"]) == ("KeyError", ExitStatus.BUG)


def test_elsewhere_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIMTAB_TASK_FAILURE", raising=False)
    with pytest.raises(DataRefused):
        judge("refuse")

"""A process that tries out trials, word by word, without Ray around it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.ray import RayTrials
from trimtab.adapters.ray.room import TASK, Room
from trimtab.adapters.ray.trial_process import Told, TrialProcess
from trimtab.api.errors import ExtraMissing, SurroundingsFailed
from trimtab.ports.studies import Candidate, Ended

POINT = Candidate("logistic", {"C": 1.0})


def two_folds(candidate: Candidate | None, tell: Any) -> Ended:
    if candidate is None:
        sys.exit("as model.py wished")
    folds: Sequence[float] = ()
    for step in (100, 200):
        folds = (*folds, step / 100)
        if because := tell(step, folds, False):
            return Ended("pruned", 0.0, None, folds, because)
    return Ended("complete", 0.0, 1.5, folds)


@pytest.fixture
def process(tmp_path: Path) -> TrialProcess:
    Room(tmp_path).put(TASK, two_folds)
    made = TrialProcess(str(tmp_path), gpu=True)
    made.ready("search.atOnce: 2")
    return made


def test_a_trial_waits_for_the_answer_to_each_word_and_its_process_takes_another_after_it(
    process: TrialProcess,
) -> None:
    assert process.begin(POINT) == Told(100, (1.0,), False)
    assert process.go_on("") == Told(200, (1.0, 2.0), False)
    assert process.go_on("") == Ended("complete", 0.0, 1.5, (1.0, 2.0))
    assert process.begin(POINT) == Told(100, (1.0,), False)
    assert process.go_on("hopeless") == Ended("pruned", 0.0, None, (1.0,), "hopeless")


def test_a_model_py_that_ends_its_process_does_not_end_rays(process: TrialProcess) -> None:
    with pytest.raises(RuntimeError, match=r"as model\.py wished"):
        process.begin(None)
    assert process.begin(POINT) == Told(100, (1.0,), False)


def test_a_process_that_does_not_see_the_search_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        SurroundingsFailed, match=r"search\.atOnce: 2: a process of Ray does not see"
    ) as failed:
        TrialProcess(str(tmp_path), gpu=True).ready("search.atOnce: 2")
    assert "give every node" in str(failed.value.remedy)


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    nothing: Any = lambda *_: None  # noqa: E731  nobody calls it
    with pytest.raises(ExtraMissing, match=r"search\.atOnce: 2 needs the extra 'ray'"):
        RayTrials(tmp_path, 2, 1, "cpu").run(nothing, nothing, nothing, nothing, nothing, nothing)
    assert list(tmp_path.iterdir()) == []

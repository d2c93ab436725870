"""A train task that is killed in mid-search and tried again, as a Job and Kubeflow Pipelines do it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.reproduce.conftest import RUN, UNTIL
from tests.contract.reproduce.test_fits import FOREST, searched

pytestmark = pytest.mark.xdist_group("reproduce")

TASK = Path(__file__).with_name("task.py")
HELD = """
import os
import time

TRIED = set()


def hold(params):
    TRIED.add(params)
    while "HOLD" in os.environ and len(TRIED) > 5:
        time.sleep(0.05)
"""
"""The trial after the fifth does not end, where it is asked to hold."""
SLOW = HELD + FOREST.replace("    return", "    hold((n_estimators, max_depth))\n    return")
TRIALS = 8
KILLED_AFTER = "trial 3 "


def attempt(folder: Path, model: Path, **more: str) -> "subprocess.Popen[str]":
    """A pod of its own: it has nothing of an earlier one but the volume."""
    bundle = next((folder / ".trimtab/bundles").iterdir())
    features = folder / ".trimtab/runs" / RUN / "features"
    model.parent.mkdir(parents=True)
    return subprocess.Popen(
        [sys.executable, TASK, str(bundle), UNTIL, str(features), str(model)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TRIMTAB_MLFLOW": "none", **more},
    )


def trials(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("trial ")]


def test_a_task_that_was_killed_in_mid_search_goes_on_and_ends_alike(
    run_once: Callable[..., Path], tmp_path: Path
) -> None:
    from trimtab.bootstrap.artefacts import read_provenance

    folder = run_once(trimtab_yaml=searched(f"trials: {TRIALS}"), model_py=SLOW)
    whole = read_provenance(folder / ".trimtab/runs" / RUN / "model")
    kept = folder / ".trimtab/searches"
    assert list(kept.iterdir()) == []  # the model is fitted: nobody goes on
    with attempt(folder, tmp_path / "first/model", HOLD="yes") as first:
        assert first.stdout is not None
        before = []
        for line in first.stdout:
            before.append(line)
            if line.startswith(KILLED_AFTER):
                break
        first.kill()
        before += first.stdout.readlines()
    assert not (tmp_path / "first/model").exists()
    assert len(list(kept.glob("*/search.db"))) == 1
    with attempt(folder, tmp_path / "second/model") as second:
        said, _ = second.communicate(timeout=600)
    assert second.returncode == 0
    after = trials(said.splitlines())
    done = trials(before)
    assert done == list(range(len(done)))
    assert len(done) + len(after) in {TRIALS, TRIALS - 1}  # one may have been kept and not told
    assert after[0] > done[-1]
    again = read_provenance(tmp_path / "second/model")
    assert (again.chosen.family, again.chosen.params) == (whole.chosen.family, whole.chosen.params)
    assert (again.chosen.value, again.chosen.trials) == (whole.chosen.value, TRIALS)
    assert again.results.trained == whole.results.trained
    assert list(kept.iterdir()) == []

"""Runs whose model a search chose, or that is a network: made again to the bit, without the search and without pods."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.reproduce.conftest import PROJECT, RUN
from tests.contract.reproduce.test_reproduce import recorded, reproduced

pytestmark = pytest.mark.xdist_group("reproduce")

FOREST = """
from sklearn.ensemble import RandomForestClassifier


def build(schema, seed=0, n_estimators=1, max_depth=1):
    return RandomForestClassifier(n_estimators=n_estimators, max_depth=max_depth, random_state=seed)
"""
NETWORK = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.embedded = nn.ModuleList(nn.Embedding(len(c.vocabulary) + 1, 4) for c in schema.categorical)
        inputs = len(schema.numeric) + 4 * len(schema.categorical)
        self.layers = nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))

    def forward(self, numeric, categorical):
        words = [embedding(categorical[:, i]) for i, embedding in enumerate(self.embedded)]
        return self.layers(torch.cat([numeric, *words], dim=1))


def build(schema, **params):
    return Small(schema)
"""
SPLIT = "split: {validation: 10d, test: 10d}"
TREES = "n_estimators: {low: 3, high: 9}, max_depth: {low: 2, high: 5}"


def project(before: str, after: str) -> str:
    assert before in PROJECT
    return PROJECT.replace(before, after)


def searched(how: str) -> str:
    return f"{PROJECT}search: {{{how}, space: {{{TREES}}}}}\n"


def test_a_run_that_exports_the_tested_model_itself_comes_out_identical(
    run_once: Callable[..., Path],
) -> None:
    made = reproduced(
        run_once(trimtab_yaml=project(SPLIT, SPLIT.replace("}", ", refit: false}")), model_py=FOREST)
    )
    assert made.identical
    assert made.differences == ()


@pytest.mark.parametrize("how", ["budget: 4s", "trials: 6"])
def test_what_a_search_chose_is_fitted_again_and_nothing_is_searched(
    run_once: Callable[..., Path], tmp_path: Path, how: str
) -> None:
    folder = run_once(trimtab_yaml=searched(how), model_py=FOREST)
    assert "trial 0" in (folder / ".trimtab/runs" / RUN / "said").read_text()
    made = reproduced(folder, keep=tmp_path / "again")
    assert made.identical
    assert made.differences == ()
    chosen = made.recorded.chosen
    assert (chosen.family, chosen.metric, chosen.seed) == ("", "log_loss", made.recorded.determinism.seed)
    assert made.rebuilt.chosen == chosen
    if how == "trials: 6":  # of a budget nobody knows how many trials it is enough for
        assert chosen.trials == 6
        assert chosen.trial > 0  # a stump is not hard to beat
        assert set(chosen.params) == {"n_estimators", "max_depth"}
    assert "trial 0" not in (tmp_path / "again/rebuild.log").read_text()


def test_a_family_that_a_search_chose_is_fitted_again(run_once: Callable[..., Path]) -> None:
    own = project("model: model.py", "model: {family: gradient_boosting, params: {max_iter: 2}}")
    made = reproduced(run_once(trimtab_yaml=f"{own}search: {{trials: 4, space: {{logistic: {{}}}}}}\n"))
    assert made.identical
    assert made.recorded.chosen.family == "logistic"
    assert made.rebuilt.chosen == made.recorded.chosen


def test_other_parameters_than_those_that_were_chosen_make_another_model(
    run_once: Callable[..., Path],
) -> None:
    folder = run_once(trimtab_yaml=searched("trials: 3"), model_py=FOREST)
    told = json.loads(recorded(folder).read_text())
    told["chosen"]["params"] = {"n_estimators": 2, "max_depth": 1}
    recorded(folder).write_text(json.dumps(told))
    assert reproduced(folder).first.cause == "trained model"


def test_a_network_comes_out_identical_and_its_threads_are_those_of_its_fit(
    run_once: Callable[..., Path],
) -> None:
    own = project(SPLIT, f"{SPLIT}, epochs: 3, batchRows: 64, threads: 2, device: cpu")
    made = reproduced(run_once(trimtab_yaml=own, model_py=NETWORK))
    assert made.identical
    assert made.differences == ()
    assert made.recorded.determinism.threads == {"torch": "2"}
    assert "deterministic_algorithms" in made.recorded.determinism.torch
    (device,) = made.recorded.hardware.devices
    assert device.startswith("cpu ")


def test_threads_of_another_fit_are_those_of_its_pools(ran: Path) -> None:
    told: Any = json.loads(recorded(ran).read_text())
    assert told["determinism"]["threads"]["openmp"] == "1"
    assert told["determinism"]["torch"] == {}
    assert told["hardware"]["devices"] == []

"""How a real model is judged beyond its metrics: behaviour, gaps, groups, stable, and its smaller forms."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_workshop import FEATURES

pytestmark = pytest.mark.xdist_group("learning")

NETWORK = """
from sklearn.neural_network import MLPClassifier


def build(schema, **params):
    return MLPClassifier((128, 64), max_iter=2, random_state=7)
"""


@pytest.fixture(scope="module")
def own(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model in a folder of these tests: evaluate writes into it."""
    return shutil.copytree(trained, tmp_path_factory.mktemp("own") / "trained")


@pytest.fixture(scope="module")
def judge(flights: Any, featurized: Any, own: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Evaluates the trained model as a project says; the page beside what was found."""
    from trimtab.features import load_features
    from trimtab.steps.evaluate import evaluate

    flights.features_py.write_text(FEATURES)

    def judged(evaluation: dict[str, Any], folder: Path = own, **changes: Any) -> Any:
        page = tmp_path_factory.mktemp("judged") / "report.html"
        project = flights.project(evaluation={"slices": ["carrier"], **evaluation}, **changes)
        found = evaluate(
            project, folder, featurized.pointer, flights.engine, flights.tables, None, page, None, flights.pointers,
            definition=load_features(flights.features_py),
        )  # fmt: skip
        return found, page.read_text()

    return judged


@pytest.fixture(scope="module")
def network(flights: Any, featurized: Any) -> Path:
    from trimtab.steps.train import model_source, train

    (flights.root / "model.py").write_text(NETWORK)
    project, folder = flights.project(model="model.py"), flights.root / "network"
    source = model_source(project, flights.root)
    train(project, source, featurized.pointer, flights.engine, flights.tables, None, folder)
    return folder


def test_inputs_are_changed_as_a_request_would_and_features_follow(judge: Any) -> None:
    behaviour = [
        {"test": "invariance", "name": "the tail number is not read", "set": {"tailnum": ["N1", None]}},
        {
            "test": "invariance",
            "name": "distance is not read",
            "set": {"distance": [1, 5000]},
            "atMost": 0.001,
        },
        {
            "test": "minimum_functionality",
            "name": "none is sure",
            "where": {"origin": ["JFK"]},
            "atMost": 0.99,
        },
        {"test": "direction", "name": "hot is late", "add": {"temp": 50}, "answer": "rises", "else": "warn"},
    ]
    found, page = judge({"behaviour": behaviour})
    unread, read, sure, hot = found.behaviour
    assert (unread.found.passed, sure.found.passed) == (True, True)
    assert unread.found.rows == 2_000
    assert not found.passed
    assert read.found.worst.before != read.found.worst.after
    assert found.because.startswith("distance is not read: ")
    assert ("warning: hot is late" in found.because) == (not hot.found.passed)
    assert f"<b>{read.example_id}</b>" in page
    assert "hot is late" in page


def test_intervals_importances_and_the_search_are_told(judge: Any) -> None:
    found, page = judge({"metrics": ["log_loss", "roc_auc", "balanced_accuracy"]})
    for name, value in found.metrics.items():
        assert found.intervals[name].lower < value < found.intervals[name].upper
        assert found.intervals[name].blocks == found.days
    assert found.searched.looked_at > 100
    assert {one.feature for one in found.importances} >= {"carrier", "local_hour", "distance"}
    assert found.importances[0].mean > 0
    assert {one.feature for one in found.attributions} == {one.feature for one in found.importances}
    assert all(one.mean == pytest.approx(np.abs(one.values).mean()) for one in found.attributions)
    assert 'aria-label="Shapley values of carrier"' in page
    assert f"{found.searched.looked_at} slices" in page
    assert sum(one.rows for one in found.calibration) == found.rows
    assert 'aria-label="Calibration"' in page
    assert page.count("came true 0.") == len(found.calibration) == 10
    assert "<script" not in page
    assert judge({"metrics": ["log_loss"], "findSlices": False})[0].searched is None


def test_a_gap_beyond_its_limit_refuses(judge: Any) -> None:
    limits = [{"gap": "demographic_parity_difference", "atMost": 0.01}]
    found, page = judge({"fairness": {"attributes": ["carrier"], "threshold": 0.2, "limits": limits}})
    assert not found.passed
    assert "demographic_parity_difference of carrier is" in found.because
    assert "equalized_odds_difference" in page
    assert any(not group.judged for group in found.fairness[0].groups)


def test_rows_are_ranked_within_their_group(judge: Any) -> None:
    names = ["ndcg", "mean_average_precision", "mean_reciprocal_rank"]
    found, _ = judge({"metrics": names, "group": "carrier"})
    assert all(0 < found.metrics[name] < 1 for name in names)
    assert found.importances  # by log loss, which the ranking metrics lack
    assert found.loss == "log_loss"


def test_every_metric_is_told_beside_stable_with_an_interval(
    judge: Any, flights: Any, featurized: Any, own: Path, network: Path, tmp_path: Path
) -> None:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export

    project = flights.project()
    places = (featurized.pointer, flights.engine, flights.tables)
    made = export(project, network, places[0], FEATURES.encode(), *places[1:], tmp_path / "models")
    page = tmp_path / "report.html"
    found = evaluate(project, own, *places, None, page, made.folder.path, flights.pointers)
    assert found.differences.keys() == found.metrics.keys()
    loss = found.differences["log_loss"]
    assert loss.interval[0] < loss.mean < loss.interval[1]
    assert "Worse than stable by" in page.read_text()


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_a_network_is_taken_in_8_bits_if_it_still_passes_and_that_form_is_exported(
    judge: Any, flights: Any, featurized: Any, network: Path, mode: str, tmp_path: Path
) -> None:
    from trimtab.steps.export import export
    from trimtab.steps.learning_rows import read_learning_rows
    from trimtab.steps.scoring import served_model

    gates = [{"metric": "roc_auc", "atLeast": 0.5}]
    found, page = judge({"gates": gates}, network, model="model.py", export={"quantize": mode})
    small = found.cheaper
    assert small.taken
    assert small.after.size_bytes < 0.6 * small.before.size_bytes
    assert 0 < small.furthest < 0.2
    assert (small.alone > 1e-6) == (mode == "dynamic")
    assert "The model in 8 bits: it passes what the model itself passed" in page
    for told in (
        f"{small.before.one_us:,.0f} µs",
        f"{small.after.one_us:,.0f} µs",
        f"{small.after.many_us:,.2f} µs",
    ):
        assert told in page
    project = flights.project(model="model.py")
    places = (flights.engine, flights.tables, tmp_path)
    made = export(project, network, featurized.pointer, FEATURES.encode(), *places)
    assert made.folder.metadata["trimtab.quantized"] == mode
    assert (made.folder.path / "model.onnx").stat().st_size == small.after.size_bytes
    rows = read_learning_rows(featurized.pointer, flights.engine, flights.tables)
    few = {name: values[:50] for name, values in rows.features.items()}
    assert np.isfinite(served_model(made.folder.path).answers(few)).all()


@pytest.mark.parametrize(("export", "said", "size"), [
    ({"prune": 0.5}, "without 50% of its hidden units", 0.6),
    ({"prune": 0.5, "quantize": "static"}, "without 50% of its hidden units and in 8 bits", 0.35),
])  # fmt: skip
def test_a_pruned_network_is_taken_if_it_still_passes_and_is_what_is_exported(
    judge: Any,
    flights: Any,
    featurized: Any,
    network: Path,
    export: Any,
    said: str,
    size: float,
    tmp_path: Path,
) -> None:
    from trimtab.steps.export import export as exported
    from trimtab.steps.learning_rows import read_learning_rows
    from trimtab.steps.scoring import served_model

    gates = [{"metric": "roc_auc", "atLeast": 0.5}]
    found, page = judge({"gates": gates}, network, model="model.py", export=export)
    small = found.cheaper
    assert small.taken
    assert f"The model {said}: it passes what the model itself passed" in page
    assert small.after.size_bytes < size * small.before.size_bytes
    assert 0 < small.furthest < 0.3
    project = flights.project(model="model.py")
    places = (flights.engine, flights.tables, tmp_path)
    made = exported(project, network, featurized.pointer, FEATURES.encode(), *places)
    assert made.folder.metadata["trimtab.pruned"] == "0.5"
    assert (made.folder.path / "model.onnx").stat().st_size == small.after.size_bytes
    rows = read_learning_rows(featurized.pointer, flights.engine, flights.tables)
    few = {name: values[:50] for name, values in rows.features.items()}
    assert np.isfinite(served_model(made.folder.path).answers(few)).all()


def test_a_network_that_fails_in_8_bits_stays_as_it_is(judge: Any, network: Path) -> None:
    from trimtab.steps.fitting.fitted import FittedModel

    whole, _ = judge({"metrics": ["log_loss"], "gates": []}, network)
    gates = [{"metric": "log_loss", "atMost": round(whole.metrics["log_loss"] + 1e-9, 9)}]
    found, page = judge({"metrics": ["log_loss"], "gates": gates}, network, export={"quantize": "static"})
    assert found.passed
    assert not found.cheaper.taken
    assert "it does not pass: log_loss is" in found.cheaper.because
    assert f"not taken</span> The model in 8 bits: {found.cheaper.because}" in page
    assert not FittedModel.load(network).cheaper


def test_trees_gain_nothing_and_without_a_gate_nothing_is_taken(judge: Any, network: Path) -> None:
    gates = [{"metric": "roc_auc", "atLeast": 0.5}]
    trees, _ = judge({"gates": gates}, export={"quantize": "static"})
    assert "trees and linear models gain nothing" in trees.cheaper.because
    trees, _ = judge({"gates": gates}, export={"prune": 0.5})
    assert "there is no hidden layer to prune" in trees.cheaper.because
    ungated, _ = judge({}, network, export={"quantize": "static"})
    assert not ungated.cheaper.taken
    assert "no gate is declared" in ungated.cheaper.because

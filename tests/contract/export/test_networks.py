"""A network of model.py, from a features table to a model folder that a server takes, on real flights."""

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_workshop import FEATURES

pytestmark = pytest.mark.xdist_group("learning")

EXAMPLE = Path(__file__).parents[3] / "examples" / "flights"
FAST = {"split": {"validation": "3d", "test": "7d"}, "epochs": 3, "batchRows": 1024}
WITH_ORIGIN = FEATURES.replace('("carrier", "dest"', '("carrier", "origin", "dest"')


@dataclass
class Server:
    """A `Tracking` that remembers; MLflow itself is in tests/contract/mlflow."""

    told: list[Any] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)

    def start(self, experiment: str, name: str, record: Any) -> str:
        self.told.append(record)
        return "run-1"

    def resume(self, run_id: str) -> bool:
        assert run_id == "run-1"
        return True

    def add(self, run_id: str, record: Any) -> None:
        assert run_id == "run-1"
        self.told.append(record)

    def finish(self, run_id: str, *, failed: bool = False) -> None:
        self.ended.append(failed)


@pytest.fixture(scope="module")
def routes(flights: Any) -> Any:
    return flights.featurize(WITH_ORIGIN)


def trained(flights: Any, made: Any, folder: Path, tracking: Any = None, **changes: Any) -> Any:
    from trimtab.steps.train import model_source, train

    project = flights.project(**{"model": "network.py", "training": FAST, **changes})
    source = model_source(project, EXAMPLE)
    lines: list[str] = []
    done = train(
        project, source, made.pointer, flights.engine, flights.tables, tracking, folder, say=lines.append
    )
    return project, source, done, lines


@pytest.fixture(scope="module")
def network(flights: Any, routes: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = Server()
    project, source, done, lines = trained(flights, routes, tmp_path_factory.mktemp("network"), server)
    return project, source, done, lines, server


def test_the_example_trains_both_and_both_tell_late_from_early(
    flights: Any, routes: Any, network: Any, tmp_path: Path
) -> None:
    trees = {"family": "gradient_boosting", "params": {"max_iter": 12}}
    *_, boosted, _ = trained(flights, routes, tmp_path, model=trees)
    for done in (network[2], boosted):
        assert 0.55 < done.metrics["roc_auc"] < 0.9
        assert done.metrics["log_loss"] < 0.7


def test_an_epoch_is_told_while_the_training_runs(network: Any) -> None:
    _, _, done, lines, server = network
    ended = [line.split(":")[0] for line in lines if line.startswith("epoch ")]
    assert ended == ["epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3"]
    assert all("rows/s" in line and "s left" in line for line in lines)
    by_epoch = [
        (record.first_step, *record.history["validation.loss.by_epoch"])
        for record in server.told
        if "training.loss.by_epoch" in record.history
    ]
    assert [first for first, _ in by_epoch] == [0, 1, 2]
    assert done.epochs == 1 + int(np.argmin([loss for _, loss in by_epoch]))
    assert server.told[0].tags["trimtab.features.digest"]
    assert server.told[-1].params["estimator.epochs"] == "3"


def test_two_trainings_with_one_seed_are_one_network(
    flights: Any, routes: Any, network: Any, tmp_path: Path
) -> None:
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.fitting.graph import exported

    _, _, again, _ = trained(flights, routes, tmp_path)
    models = [FittedModel.load(done.folder) for done in (network[2], again)]
    one, two = (
        exported(model.preprocessing, model.estimator, model.plan.outputs, "binary", model.name)
        for model in models
    )
    assert one == two
    assert b"/network" not in one  # no path of this machine, no stack trace


def test_a_refit_takes_the_epochs_that_early_stopping_chose(
    flights: Any, routes: Any, network: Any, tmp_path: Path
) -> None:
    from trimtab.features.columns import take
    from trimtab.steps.export import export
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.learning_rows import read_learning_rows
    from trimtab.steps.refit import refit

    project, source, done, _, _ = network
    places = (routes.pointer, flights.engine, flights.tables)
    again = refit(
        project, source, done.folder, routes.pointer, flights.tables, tmp_path / "refitted",
        checkpoints=tmp_path / "kept",
    )  # fmt: skip
    tested, final = FittedModel.load(done.folder), FittedModel.load(again.folder)
    assert final.rows > tested.rows
    assert final.estimator.n_iter_ == tested.estimator.n_iter_
    assert len(again.skills) >= 20
    assert not list((tmp_path / "kept").rglob("*"))  # what is done is not kept
    made = export(
        project, again.folder, routes.pointer, WITH_ORIGIN.encode(), *places[1:], tmp_path / "models"
    )
    assert made.difference <= 1e-5
    few = take(read_learning_rows(*places).features, slice(0, 40))
    (tmp_path / "few.pickle").write_bytes(pickle.dumps(few))
    served = subprocess.run(
        [sys.executable, "-c", SERVED, str(made.folder.path), str(tmp_path / "few.pickle")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert served.returncode == 0, served.stderr
    np.testing.assert_allclose(json.loads(served.stdout), final.scores(few), atol=1e-5)


SERVED = """
import json, pickle, sys
from pathlib import Path
from trimtab.serving.accepted import Rows
from trimtab.serving.folder import open_folder
from trimtab.serving.lookup import Lookup
from trimtab.serving.predictor import Predictor

predictor = Predictor(open_folder(Path(sys.argv[1])), Lookup((), None, None))
columns = pickle.loads(Path(sys.argv[2]).read_bytes())
print(json.dumps(predictor.scores(predictor.answer(Rows(columns, 40, True, None, None))).tolist()))
assert not {"torch", "sklearn", "mlflow"} & set(sys.modules)
"""


def test_the_ready_network_learns(flights: Any, featurized: Any, tmp_path: Path) -> None:
    *_, done, _ = trained(flights, featurized, tmp_path, model={"family": "mlp", "params": {"hidden": [32]}})
    assert done.metrics["roc_auc"] > 0.55


def test_a_setting_that_is_not_known_is_refused(flights: Any) -> None:
    with pytest.raises(ValueError, match="batchRow"):
        flights.project(training={**FAST, "batchRow": 5})


def test_a_training_that_is_broken_off_goes_on_in_its_run_and_ends_alike(
    flights: Any, routes: Any, network: Any, tmp_path: Path
) -> None:
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.train import train

    project, source, done, *_ = network
    project = flights.project(model="network.py", training={**FAST, "checkpointEvery": "0s"})
    places = (routes.pointer, flights.engine, flights.tables)
    server, lines = Server(), []

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(project, source, *places, server, tmp_path / "a", checkpoints=tmp_path / "kept", say=say)
    again: list[str] = []
    made = train(
        project, source, *places, server, tmp_path / "b", checkpoints=tmp_path / "kept", say=again.append
    )
    assert again[0].startswith("goes on from its checkpoint: epoch 3")  # kept before it was told
    assert [record.tags != {} for record in server.told].count(True) == 2  # one start, one record at the end
    assert made.run_id == "run-1"
    first, second = (
        FittedModel.load(folder).estimator.module.state_dict() for folder in (done.folder, made.folder)
    )
    assert all((first[name] == second[name]).all() for name in first)
    assert not list((tmp_path / "kept").rglob("*.checkpoint"))


def test_the_table_by_row_groups_is_the_matrix_of_the_whole(
    flights: Any, routes: Any, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.steps import stored_rows
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.fitting.preprocessing import fit_by_parts
    from trimtab.steps.learning_rows import read_learning_rows

    monkeypatch.setattr(stored_rows, "GROUP_ROWS", 5_000)  # no border of a block is one of a row group
    model = FittedModel.load(network[2].folder)
    whole = read_learning_rows(routes.pointer, flights.engine, flights.tables)
    stored = stored_rows.stored_rows(routes.pointer, flights.tables)
    chosen = whole.usable() & (np.arange(len(whole)) % 7 > 0)
    whole, stored = whole.taken(chosen), stored.taken(chosen).taken(np.arange(int(chosen.sum())))
    assert whole.times is not None
    assert stored.times is not None
    np.testing.assert_array_equal(stored.times, whole.times)
    np.testing.assert_array_equal(stored.labels, whole.labels)
    blocks = stored.blocks(model.preprocessing, stored.labels)
    for _ in range(2):  # read, and then kept
        parts = [blocks.read(block) for block in range(len(blocks.counts))]
        assert [len(part[1]) for part in parts] == list(blocks.counts)
        np.testing.assert_array_equal(
            np.concatenate([part[0] for part in parts]), model.preprocessing.matrix(whole.features)
        )
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), whole.labels)
    fits = [fit_by_parts(model.plan.outputs, rows.parts, rows.labels, "binary") for rows in (whole, stored)]
    assert fits[0] == fits[1]


def test_what_fails_in_training_ends_its_run_as_failed(flights: Any, routes: Any, tmp_path: Path) -> None:
    from trimtab.steps.fitting.refusals import TrainingRefused
    from trimtab.steps.train import model_source, train

    own = (EXAMPLE / "network.py").read_text()
    (tmp_path / "network.py").write_text(
        f"{own}\n\nSEEN = []\n\n\ndef loss(logits, y):\n    SEEN.append(1)\n"
        "    return nn.functional.cross_entropy(logits, y) * (float('nan') if len(SEEN) > 45 else 1.0)\n"
    )
    project = flights.project(model="network.py", training=FAST)
    server = Server()
    with pytest.raises(TrainingRefused, match="the loss is nan in epoch 2"):
        train(
            project, model_source(project, tmp_path), routes.pointer, flights.engine, flights.tables, server,
            tmp_path / "made",
        )  # fmt: skip
    assert server.ended == [True]
    assert not (tmp_path / "made").exists()


def test_gradient_boosting_loads_no_torch() -> None:
    code = (
        "import sys, trimtab.steps.train, trimtab.steps.refit, trimtab.steps.fitting.graph\n"
        "from trimtab.steps.fitting.contract import family_source, built\n"
        "from trimtab.features.schema import FeatureSchema\n"
        "built(family_source('gradient_boosting', {}), FeatureSchema(('a',), (), 'binary', ('0', '1')), 7)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

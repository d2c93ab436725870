"""A training beside a real MLflow server: looked at while it runs, and ended under it."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mlflow.server_process import ServerProcess
from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("mlflow")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    (tmp_path / "server").mkdir()
    made = ServerProcess(tmp_path / "server")
    made.start()
    yield made
    made.stop()


@dataclass
class Shop:
    """A small table and project, whose network learns for six epochs; each step's lines somebody hears as they come."""

    root: Path
    address: str

    def __post_init__(self) -> None:
        from tests.contract.ray.learner import small_project, table
        from trimtab.adapters.delta import DeltaTables

        self.model("pass")
        self.project = small_project(epochs=6, patience=None)
        self.tables = DeltaTables(self.root / "tables")
        self.features = table(self.tables)

    def model(self, line: str) -> None:
        from tests.contract.ray.learner import MODEL

        (self.root / "model.py").write_text(MODEL.format(line=line))

    def train(self, say: Callable[[str], None]) -> Any:
        from trimtab.adapters.duckdb import DuckEngine
        from trimtab.adapters.mlflow import MlflowTracking
        from trimtab.steps.train import model_source, train

        return train(
            self.project, model_source(self.project, self.root), self.features,
            DuckEngine(self.tables, self.root / "scratch"), self.tables, MlflowTracking(self.address),
            self.root / "made", checkpoints=self.root / "kept", say=say,
        )  # fmt: skip

    def refit(self, say: Callable[[str], None]) -> Any:
        from trimtab.adapters.mlflow import MlflowTracking
        from trimtab.steps.refit import refit
        from trimtab.steps.train import model_source

        return refit(
            self.project, model_source(self.project, self.root), self.root / "made", self.features, self.tables,
            self.root / "again", checkpoints=self.root / "kept", say=say, tracking=MlflowTracking(self.address),
        )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, server: ServerProcess) -> Shop:
    return Shop(tmp_path, server.address)


def steps(server: ServerProcess, run_id: str, name: str) -> list[int]:
    from trimtab.adapters.mlflow.client import client

    return [point.step for point in client(server.address).get_metric_history(run_id, name)]


def test_it_is_seen_while_it_runs_and_a_server_that_is_away_meanwhile_misses_nothing(
    server: ServerProcess, shop: Shop
) -> None:
    from trimtab.adapters.mlflow.client import client

    lines: list[str] = []
    seen: list[Any] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2 of 6"):
            mlflow = client(server.address)
            seen.extend(mlflow.search_runs([mlflow.get_experiment_by_name("small").experiment_id]))
            server.stop(signal.SIGKILL)
        if line.startswith("epoch 5 of 6"):
            server.start()

    done = shop.train(hear)
    assert [run.info.status for run in seen] == ["RUNNING"]
    told = seen[0].data.metrics
    assert 0 < told["system/cpu_utilization_percentage"] < 6400
    assert 50 < told["system/system_memory_usage_megabytes"] <= told["system/peak_memory_megabytes"]
    assert told["training.loss.by_epoch"] > 0
    assert sum("failed" in line and "the training goes on" in line for line in lines) == 1, lines
    assert sum("the tracking server is back" in line for line in lines) == 1, lines
    for name in ("training.loss.by_epoch", "validation.loss.by_epoch", "system/cpu_utilization_percentage"):
        assert steps(server, done.run_id, name) == [0, 1, 2, 3, 4, 5]


def test_one_that_stays_away_costs_the_step_but_not_what_was_learned(
    server: ServerProcess, shop: Shop, tmp_path: Path
) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2 of 6"):
            server.stop(signal.SIGKILL)

    with pytest.raises(SurroundingsFailed, match="MLflow at http"):
        shop.train(hear)
    assert sum(line.startswith("epoch ") for line in lines) == 6
    assert list((tmp_path / "kept").rglob("*.checkpoint"))
    server.start()
    again: list[str] = []
    done = shop.train(again.append)
    assert again[0].startswith("goes on from its checkpoint: epoch 7")
    assert len(again) == 1, "it learned again"
    assert steps(server, done.run_id, "validation.log_loss")


@pytest.mark.parametrize("back", [True, False])
def test_a_server_that_is_away_when_boosting_begins_has_its_run_once_it_is_back(
    server: ServerProcess, shop: Shop, back: bool
) -> None:
    from trimtab.adapters.mlflow.client import client
    from trimtab.api.project import Model

    shop.project = shop.project.model_copy(update={"model": Model(params={"max_iter": 3})})
    server.stop(signal.SIGKILL)
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if back and "the training goes on" in line:
            server.start()

    if not back:
        with pytest.raises(SurroundingsFailed, match="MLflow at http"):
            shop.train(hear)
        server.start()
        lines.clear()
    done = shop.train(hear)
    run = client(server.address).get_run(done.run_id)
    assert run.info.status == "RUNNING"
    assert run.data.metrics["validation.roc_auc"] == done.metrics["roc_auc"]
    assert [line.split(";")[-1] for line in lines] == back * [
        " the training goes on, and tells it later",
        "the tracking server is back, and has been told what waited",
    ]
    assert len(client(server.address).search_runs([run.info.experiment_id])) == 1


def test_a_training_that_fails_says_so_though_the_server_is_away(server: ServerProcess, shop: Shop) -> None:
    from trimtab.api.errors import InputRefused

    shop.model("assert self.calls < 36, 'too often'")
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2 of 6"):
            server.stop(signal.SIGKILL)

    with pytest.raises(InputRefused, match="too often"):
        shop.train(hear)
    assert lines[-1].endswith("will be missing there"), lines


def test_a_refit_is_seen_while_it_runs_in_the_run_of_the_model_that_was_judged(
    server: ServerProcess, shop: Shop
) -> None:
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.adapters.mlflow.client import client

    run_id = shop.train(lambda _: None).run_id
    MlflowTracking(server.address).finish(run_id)  # as evaluate does
    mlflow = client(server.address)
    before = mlflow.get_metric_history(run_id, "training.loss.by_epoch")
    seen: list[list[int]] = []

    def hear(line: str) -> None:
        if line.startswith("epoch 3 of 6"):
            seen.append(steps(server, run_id, "refit.loss.by_epoch"))
            server.stop(signal.SIGKILL)
        if line.startswith("epoch 5 of 6"):
            server.start()

    made = shop.refit(hear)
    assert made.refitted
    assert seen == [[0, 1]]  # the line comes before MLflow hears of its epoch
    for name in ("loss.by_epoch", "rows_per_s", "learning_rate"):
        assert steps(server, run_id, f"refit.{name}") == [0, 1, 2, 3, 4, 5]
    assert steps(server, run_id, "system/refit/peak_memory_megabytes") == [0, 1, 2, 3, 4, 5]
    assert mlflow.get_metric_history(run_id, "training.loss.by_epoch") == before
    assert mlflow.get_run(run_id).info.status == "FINISHED"
    experiment = mlflow.get_experiment_by_name("small").experiment_id
    assert len(mlflow.search_runs([experiment])) == 1

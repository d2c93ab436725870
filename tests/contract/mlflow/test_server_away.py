"""A network's training beside a real MLflow server: looked at while it runs, and ended under it."""

import signal
from collections.abc import Callable, Iterator
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


@pytest.fixture
def trained(tmp_path: Path, server: ServerProcess) -> Callable[[Callable[[str], None]], Any]:
    """The train step, of six epochs, whose lines somebody hears as they come."""
    from tests.contract.ray.learner import MODEL, small_project, table
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.steps.train import model_source, train

    (tmp_path / "model.py").write_text(MODEL.format(line="pass"))
    project = small_project(epochs=6, patience=None)
    tables = DeltaTables(tmp_path / "tables")
    pointer = table(tables)

    def run(say: Callable[[str], None]) -> Any:
        return train(
            project, model_source(project, tmp_path), pointer, DuckEngine(tables, tmp_path / "scratch"), tables,
            MlflowTracking(server.address), tmp_path / "made", checkpoints=tmp_path / "kept", say=say,
        )  # fmt: skip

    return run


def steps(server: ServerProcess, run_id: str, name: str) -> list[int]:
    from trimtab.adapters.mlflow.client import client

    return [point.step for point in client(server.address).get_metric_history(run_id, name)]


def test_it_is_seen_while_it_runs_and_a_server_that_is_away_meanwhile_misses_nothing(
    server: ServerProcess, trained: Any
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

    done = trained(hear)
    assert [run.info.status for run in seen] == ["RUNNING"]
    told = seen[0].data.metrics
    assert 10 < told["system/cpu_utilization_percentage"] < 6400
    assert 50 < told["system/system_memory_usage_megabytes"] <= told["system/peak_memory_megabytes"]
    assert told["training.loss.by_epoch"] > 0
    assert sum("failed" in line and "the training goes on" in line for line in lines) == 1, lines
    assert sum("the tracking server is back" in line for line in lines) == 1, lines
    for name in ("training.loss.by_epoch", "validation.loss.by_epoch", "system/cpu_utilization_percentage"):
        assert steps(server, done.run_id, name) == [0, 1, 2, 3, 4, 5]


def test_one_that_stays_away_costs_the_step_but_not_what_was_learned(
    server: ServerProcess, trained: Any, tmp_path: Path
) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2 of 6"):
            server.stop(signal.SIGKILL)

    with pytest.raises(SurroundingsFailed, match="MLflow at http"):
        trained(hear)
    assert sum(line.startswith("epoch ") for line in lines) == 6
    assert list((tmp_path / "kept").rglob("*.checkpoint"))
    server.start()
    again: list[str] = []
    done = trained(again.append)
    assert again[0].startswith("goes on from its checkpoint: epoch 7")
    assert len(again) == 1, "it learned again"
    assert steps(server, done.run_id, "validation.log_loss")


def test_a_training_that_fails_says_so_though_the_server_is_away(
    server: ServerProcess, trained: Any, tmp_path: Path
) -> None:
    from tests.contract.ray.learner import MODEL
    from trimtab.api.errors import InputRefused

    (tmp_path / "model.py").write_text(MODEL.format(line="assert self.calls < 36, 'too often'"))
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2 of 6"):
            server.stop(signal.SIGKILL)

    with pytest.raises(InputRefused, match="too often"):
        trained(hear)
    assert lines[-1].endswith("will be missing there"), lines

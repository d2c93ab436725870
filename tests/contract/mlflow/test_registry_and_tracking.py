"""Runs and versions in a real MLflow on SQLite, with no server."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("mlflow")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    from trimtab.adapters.mlflow.client import local_uri

    return local_uri(tmp_path_factory.mktemp("mlflow") / "mlflow.db")


@pytest.fixture
def registry(uri: str) -> Any:
    from trimtab.adapters.mlflow import MlflowRegistry

    return MlflowRegistry(uri)


def folder(digest: str, **metadata: Any) -> Any:
    from trimtab.steps.model_folder import ModelFolder

    return ModelFolder(Path(f"/models/{digest[:16]}"), digest, metadata)


def test_a_run_keeps_what_a_step_said(uri: str, tmp_path: Path) -> None:
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.adapters.mlflow.client import client
    from trimtab.ports.tracking import RunRecord

    tracking = MlflowTracking(uri, tmp_path / "artefacts")
    record = RunRecord({"rate": "0.1"}, {"auc": 0.7}, {"loss": [3.0, 2.0, 1.0]}, {"digest": "ab"})
    run = tracking.start("flights", "first", record)
    report = tmp_path / "report.html"
    report.write_text("<p>good")
    tracking.add(run, RunRecord(metrics={"test.auc": 0.8}, tags={"passed": "true"}, artefacts=[report]))
    tracking.add(run, RunRecord(history={"loss": [0.5]}, first_step=3))
    tracking.finish(run)
    held = client(uri).get_run(run)
    assert held.info.status == "FINISHED"
    assert held.data.params == {"rate": "0.1"}
    assert {name: held.data.metrics[name] for name in ("auc", "test.auc", "loss")} == {
        "auc": 0.7, "test.auc": 0.8, "loss": 0.5
    }  # fmt: skip
    assert held.data.tags["digest"] == "ab"
    points = client(uri).get_metric_history(run, "loss")
    assert [(point.step, point.value) for point in points] == [(0, 3.0), (1, 2.0), (2, 1.0), (3, 0.5)]
    assert list((tmp_path / "artefacts").rglob("report.html"))


def test_a_record_of_any_size_is_kept_whole(uri: str) -> None:
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.adapters.mlflow.client import client
    from trimtab.ports.tracking import RunRecord

    record = RunRecord(
        params={f"p{i}": str(i) for i in range(250)},
        metrics={f"m{i}": i for i in range(130)},
        history={"loss": [float(i) for i in range(2100)]},
        tags={f"t{i}": str(i) for i in range(130)},
    )
    run = MlflowTracking(uri).start("large", "first", record)
    held = client(uri).get_run(run).data
    assert held.params == record.params
    assert record.tags.items() <= held.tags.items()
    assert {name: held.metrics[name] for name in record.metrics} == record.metrics
    assert len(client(uri).get_metric_history(run, "loss")) == 2100


def test_one_digest_is_one_version(registry: Any) -> None:
    first = registry.register("model-a", "/models/1", "d1", {"rows": "10"})
    second = registry.register("model-a", "/models/2", "d2", {})
    assert registry.register("model-a", "/elsewhere", "d1", {}) == first
    assert (first.version, second.version) == ("1", "2")
    assert registry.versions("model-a") == [first, second]
    assert registry.version("model-a", "2") == second
    assert registry.version("model-a", "9") is None
    assert first.tags["rows"] == "10"


def test_tags_come_and_go(registry: Any) -> None:
    made = registry.register("model-b", "/models/1", "d1", {})
    registry.tag("model-b", made.version, "trimtab.rejected.r1", "loss is worse")
    assert registry.version("model-b", made.version).tags["trimtab.rejected.r1"] == "loss is worse"
    registry.untag("model-b", made.version, "trimtab.rejected.r1")
    registry.untag("model-b", made.version, "trimtab.rejected.r1")
    assert "trimtab.rejected.r1" not in registry.version("model-b", made.version).tags


def test_a_model_that_nobody_registered_has_no_versions(registry: Any) -> None:
    assert registry.versions("nobody") == []
    assert registry.alias("nobody", "candidate") is None


def test_a_passed_model_is_the_candidate_and_a_refused_one_is_not(registry: Any) -> None:
    from trimtab.steps.register import register

    passed = register(registry, "model-c", folder("a" * 64, metrics={"roc_auc": 0.7}))
    assert passed.candidate
    assert passed.version.tags["trimtab.metric.roc_auc"] == "0.7"
    refused = register(registry, "model-c", folder("b" * 64), refused="log_loss is 0.2 worse")
    assert not refused.candidate
    assert (
        registry.version("model-c", refused.version.version).tags["trimtab.refused"]
        == "log_loss is 0.2 worse"
    )
    assert registry.alias("model-c", "candidate") == passed.version
    again = register(registry, "model-c", folder("b" * 64))
    assert again.candidate
    assert registry.alias("model-c", "candidate").version == refused.version.version
    assert "trimtab.refused" not in registry.alias("model-c", "candidate").tags


def test_a_rejected_digest_stays_out(registry: Any) -> None:
    from trimtab.steps.register import register

    first = register(registry, "model-d", folder("a" * 64))
    register(registry, "model-d", folder("b" * 64))
    registry.tag("model-d", first.version.version, "trimtab.rejected.r7", "loss is worse in shadow")
    again = register(registry, "model-d", folder("a" * 64))
    assert not again.candidate
    assert "r7: loss is worse in shadow" in again.because
    assert registry.alias("model-d", "candidate").digest == "b" * 64


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    from trimtab.adapters.mlflow import MlflowRegistry
    from trimtab.adapters.mlflow.client import local_uri
    from trimtab.api.errors import SurroundingsFailed

    (tmp_path / "mlflow.db").write_text("no database" * 1000)
    with pytest.raises(SurroundingsFailed, match=r"MLflow at sqlite:.* failed"):
        MlflowRegistry(local_uri(tmp_path / "mlflow.db")).versions("x")

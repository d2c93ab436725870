"""What MLflow knows of a training while it goes on, and after one that does not come to its end."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Semaphore
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("mlflow")

CPU, HELD, PEAK = (
    f"system/{name}"
    for name in ("cpu_utilization_percentage", "system_memory_usage_megabytes", "peak_memory_megabytes")
)
FAILS: dict[str, type[BaseException]] = {"in an error": ArithmeticError, "by Ctrl-C": KeyboardInterrupt}
Look = Callable[[], object]


@dataclass
class Shop:
    """A small table and project beside an MLflow on SQLite, and somebody who looks into it from within a fit."""

    root: Path
    uri: str
    project: Any
    tables: Any
    features: Any

    def train(self, source: Any, say: Callable[[str], None] = lambda _: None) -> Any:
        from trimtab.adapters.duckdb import DuckEngine
        from trimtab.adapters.mlflow import MlflowTracking
        from trimtab.steps.train import train

        return train(
            self.project, source, self.features, DuckEngine(self.tables, self.root / "scratch"), self.tables,
            MlflowTracking(self.uri), self.root / "made", checkpoints=self.root / "kept", say=say,
        )  # fmt: skip

    def refit(self, source: Any) -> Any:
        from trimtab.adapters.mlflow import MlflowTracking
        from trimtab.steps.refit import refit

        return refit(
            self.project, source, self.root / "made", self.features, self.tables, self.root / "again",
            checkpoints=self.root / "kept", tracking=MlflowTracking(self.uri),
        )  # fmt: skip

    def runs(self) -> list[Any]:
        from trimtab.adapters.mlflow.client import client

        mlflow = client(self.uri)
        held = mlflow.get_experiment_by_name("small")
        return [] if held is None else list(mlflow.search_runs([held.experiment_id]))

    def steps(self, name: str) -> list[int]:
        from trimtab.adapters.mlflow.client import client

        (run,) = self.runs()
        return [point.step for point in client(self.uri).get_metric_history(run.info.run_id, name)]

    def boosting(self, look: Look, **params: Any) -> Any:
        """Gradient boosting of a model.py, which looks before it learns."""
        from trimtab.steps.fitting.contract import family_source

        own = family_source("gradient_boosting", {"max_iter": 3, "early_stopping": False, **params})

        def build(schema: Any, **given: Any) -> Any:
            made = own.build(schema, **given)
            learn = made.fit

            def fit(x: Any, y: Any) -> Any:
                del made.fit  # it is kept, and exported, without
                look()
                return learn(x, y)

            made.fit = fit
            return made

        return replace(own, build=build, name="model.py", digest="ab")

    def network(self, look: Look) -> Any:
        """A network of six epochs of ten batches, which looks before each."""
        from torch.nn import functional

        from tests.contract.ray.learner import MODEL
        from trimtab.steps.train import model_source

        def loss(logits: Any, y: Any) -> Any:
            look()
            return functional.cross_entropy(logits, y)

        (self.root / "model.py").write_text(MODEL.format(line="pass"))
        return replace(model_source(self.project, self.root), hooks={"loss": loss})


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    from trimtab.adapters.mlflow.client import client, local_uri

    made = local_uri(tmp_path_factory.mktemp("mlflow") / "mlflow.db")
    client(made)
    return made


@pytest.fixture
def shop(tmp_path: Path, uri: str) -> Shop:
    import shutil

    from tests.contract.ray.learner import small_project, table
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.mlflow.client import local_uri

    own = tmp_path / "mlflow.db"
    shutil.copyfile(uri.removeprefix("sqlite:///"), own)
    tables = DeltaTables(tmp_path / "tables")
    return Shop(tmp_path, local_uri(own), small_project(epochs=6, patience=None), tables, table(tables))


def test_a_run_of_boosting_is_there_with_what_it_uses_before_it_has_learned(shop: Shop) -> None:
    seen: list[Any] = []
    done = shop.train(shop.boosting(lambda: seen.extend(shop.runs())))
    (during,) = seen
    assert (during.info.run_id, during.info.status) == (done.run_id, "RUNNING")
    assert during.data.tags["trimtab.features.digest"] == "small"
    assert 0 < during.data.metrics[CPU] < 6400
    assert 50 < during.data.metrics[HELD] <= during.data.metrics[PEAK]
    looks = list(range(len(shop.steps(CPU))))
    assert len(looks) >= 2, "when it began and ended"
    assert [shop.steps(name) for name in (CPU, HELD, PEAK)] == [looks] * 3
    (after,) = shop.runs()
    assert after.data.metrics["validation.roc_auc"] == done.metrics["roc_auc"]
    assert not list((shop.root / "kept").rglob("*"))


def test_what_a_long_fit_uses_is_told_all_along(shop: Shop) -> None:
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.ports.tracking import RunRecord
    from trimtab.steps.fitting.usage import Meter, sampled
    from trimtab.steps.network.journal import Journal

    tracking, lines, heard = MlflowTracking(shop.uri), list[str](), Semaphore(0)
    with Journal(tracking, lambda: tracking.start("small", "long", RunRecord()), lines.append) as journal:

        def tell(system: Any) -> None:
            journal.watch.use(system)
            heard.release()

        with sampled(Meter(), tell, every_s=0.01):
            assert all(heard.acquire(timeout=60) for _ in range(5))
            during = shop.steps(CPU)
    assert during[:5] == [0, 1, 2, 3, 4]
    assert shop.steps(CPU) == list(range(len(shop.steps(CPU))))
    assert not lines


def test_a_refit_of_boosting_tells_what_it_uses_beside_what_its_training_did(shop: Shop) -> None:
    from trimtab.adapters.mlflow import MlflowTracking

    seen: list[Any] = []
    done = shop.train(shop.boosting(lambda: None))
    MlflowTracking(shop.uri).finish(done.run_id)  # as evaluate does
    assert shop.refit(shop.boosting(lambda: seen.extend(shop.runs()))).refitted
    (during,) = seen
    assert during.data.metrics["system/refit/peak_memory_megabytes"] >= during.data.metrics[PEAK]
    assert shop.steps("system/refit/cpu_utilization_percentage")[:2] == [0, 1]
    assert shop.steps(CPU)[:2] == [0, 1]
    (after,) = shop.runs()
    assert after.info.status == "FINISHED"


def test_a_network_is_told_of_within_its_epochs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.steps.network import journal, loop

    monkeypatch.setattr(loop, "TOLD_EVERY_S", -1.0)
    monkeypatch.setattr(journal, "WITHIN_S", 0.0)
    seen: list[Any] = []
    lines: list[str] = []
    done = shop.train(shop.network(lambda: seen.append(shop.runs())), lines.append)
    batches = [runs[0].data.metrics for runs in seen[:60] if len(runs) == 1]
    statuses = {runs[0].info.status for runs in seen[:60]}
    assert (len(batches), statuses) == (60, {"RUNNING"})
    assert not batches[0], "nothing is learned yet"
    for told in batches[2:9]:  # within the first epoch
        assert {name.removesuffix(".by_batch") for name in told} == {
            "training.loss", "training.rows_per_s", CPU, HELD, PEAK
        }  # fmt: skip
        assert told["training.rows_per_s.by_batch"] > 0
        assert 50 < told[f"{HELD}.by_batch"] <= told[f"{PEAK}.by_batch"]
    by_batch = {name: shop.steps(f"{name}.by_batch") for name in ("training.loss", CPU, HELD)}
    assert all(steps == list(range(1, 61)) for steps in by_batch.values())
    for name in ("training.loss.by_epoch", "validation.loss.by_epoch", "training.rows_per_s", CPU):
        assert shop.steps(name) == [0, 1, 2, 3, 4, 5]
    assert sum(line.startswith("in epoch") for line in lines) == 60
    (after,) = shop.runs()
    assert after.info.run_id == done.run_id


def test_a_refit_of_a_network_is_told_of_within_its_epochs_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.steps.network import journal, loop

    source = shop.network(lambda: None)
    shop.train(source)
    monkeypatch.setattr(loop, "TOLD_EVERY_S", -1.0)
    monkeypatch.setattr(journal, "WITHIN_S", 0.0)
    shop.refit(source)
    told = shop.steps("refit.loss.by_batch")
    assert told == shop.steps("system/refit/peak_memory_megabytes.by_batch") == list(range(1, 73))
    assert not shop.steps("training.loss.by_batch")


@pytest.mark.parametrize("how", FAILS)
@pytest.mark.parametrize("kind", ["boosting", "network"])
def test_a_training_that_ends_early_has_failed_and_the_next_goes_on_in_its_run(
    shop: Shop, kind: str, how: str
) -> None:
    def breaks() -> None:
        raise FAILS[how]

    made = getattr(shop, kind)
    from trimtab.steps.fitting.refusals import ModelRefused

    with pytest.raises((ModelRefused, KeyboardInterrupt)):
        shop.train(made(breaks))
    (broken,) = shop.runs()
    assert broken.info.status == "FAILED"
    seen: list[str] = []
    done = shop.train(made(lambda: seen.extend(run.info.status for run in shop.runs())))
    assert done.run_id == broken.info.run_id
    assert set(seen) == {"RUNNING"}
    assert len(shop.runs()) == 1


def test_a_training_that_its_pods_end_breaks_off_has_failed(shop: Shop) -> None:
    from trimtab.bootstrap.ending import ended_in_order

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, ended_in_order():
        shop.train(shop.boosting(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert [run.info.status for run in shop.runs()] == ["FAILED"]


def test_what_ends_already_is_not_broken_off_by_sigterm() -> None:
    from trimtab.bootstrap.ending import ended_in_order

    told: list[str] = []

    def end(how: type[BaseException]) -> None:
        try:
            raise how
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            told.append(how.__name__)

    for how in (KeyboardInterrupt, SystemExit):
        with pytest.raises(how), ended_in_order():
            end(how)
    assert told == ["KeyboardInterrupt", "SystemExit"]


def test_a_model_that_cannot_be_exported_has_failed(shop: Shop) -> None:
    from trimtab.steps.fitting.contract import ModelSource
    from trimtab.steps.fitting.refusals import ModelRefused

    class Odd:
        def fit(self, x: Any, y: Any) -> None:
            pass

        def predict_proba(self, x: Any) -> Any:
            return np.full((len(x), 2), 0.5)

    with pytest.raises(ModelRefused, match="cannot be exported"):
        shop.train(ModelSource(lambda schema: Odd(), "model.py", "ab", {}))
    assert [run.info.status for run in shop.runs()] == ["FAILED"]


def test_a_run_that_somebody_deleted_is_not_gone_on_in(shop: Shop) -> None:
    from trimtab.adapters.mlflow.client import client

    def breaks() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.train(shop.boosting(breaks))
    (broken,) = shop.runs()
    client(shop.uri).delete_run(broken.info.run_id)
    done = shop.train(shop.boosting(lambda: None))
    assert done.run_id != broken.info.run_id
    (run,) = shop.runs()
    assert run.data.metrics["validation.roc_auc"]


def test_what_is_refused_before_it_learns_leaves_no_run(shop: Shop) -> None:
    from datetime import timedelta

    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.steps.fitting.refusals import TrainingRefused
    from trimtab.steps.train import train

    with pytest.raises(TrainingRefused, match=r"needs examples\.time"):
        train(
            shop.project, shop.boosting(lambda: None), shop.features, DuckEngine(shop.tables, shop.root / "scratch"),
            shop.tables, MlflowTracking(shop.uri), shop.root / "made", timedelta(days=1),
        )  # fmt: skip
    assert not shop.runs()

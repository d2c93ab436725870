"""One namespace with a model in service, whose days the test makes up."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from operators.drift.config import Configuration
from operators.drift.handlers.monitor import MonitorHandler
from operators.drift.handlers.retrain import RetrainHandler
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Surroundings
from operators.drift.traces import Tracing
from tests.cluster.kube.direct import Direct
from trimtab.adapters.clock import ReplayClock
from trimtab.adapters.collector import Collector, Label
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry
from trimtab.adapters.mlflow.profiles import KEPT
from trimtab.drift import learn_profile
from trimtab.drift.profile import LabelRule
from trimtab.ports.cluster import Kind
from trimtab.steps.model_folder import write_model_folder

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 3, 1, 4, tzinfo=UTC)
"""Blocks are cut at four."""
MATURE = 6 * HOUR
REVISION = "aaaaaaaa"
ROWS_AN_HOUR = 10
Json = dict[str, Any]


class Stage:
    """Handlers over an uncached cluster, and what a rollout, servers and people would write."""

    def __init__(
        self, cluster: Direct, namespace: str, mlflow_url: str, collector: str, folder: Path
    ) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.model = f"flights-{namespace}"
        self.clock = ReplayClock(START)
        self.server = MlflowServer(mlflow_url, timeout_s=60.0)
        self.evidence = Collector(collector)
        self.collector = collector
        self.configuration = Configuration.model_validate(
            {
                "collector": {"address": collector},
                "cache": str(folder / "cache"),
                "providers": {
                    "mlflow": [{"name": "mlflow", "url": mlflow_url}],
                    "kubeflow": [{"name": "unplugged", "url": "http://127.0.0.1:9"}],
                },
            }
        )
        self.metrics = Metrics()
        self.draw = np.random.default_rng(7)
        self.restart()

    def restart(self) -> None:
        """Another leader: nothing of the last one's memory is left."""
        handed = (
            self.configuration,
            self.cluster,
            Surroundings(self.configuration, self.cluster),
            self.clock,
            lambda: "epoch-1",
            self.metrics,
            Tracing.from_environment(),
        )
        self.monitors, self.policies = MonitorHandler(*handed), RetrainHandler(*handed)

    def close(self) -> None:
        self.evidence.close()

    # --- the model

    def profile(self, features: int = 0) -> bytes:
        """Sixty days of what the model was trained on, and how well it did."""
        rows = 60 * 24 * ROWS_AN_HOUR
        times = (START.replace(tzinfo=None) - 61 * DAY) + np.arange(rows) * (HOUR / ROWS_AN_HOUR)
        columns: dict[str, Any] = {
            "distance": self.draw.normal(1000.0, 100.0, rows),
            "carrier": self.draw.choice(["UA", "AA", "WN"], rows),
        }
        if features:
            columns = {f"f{number}": np.array([0.0, 1.0]) for number in range(features)}
        return learn_profile(
            columns,
            None if features else np.asarray(times, "datetime64[us]"),
            label=LabelRule("late", "known_at", mature_after_s=int(MATURE.total_seconds())),
            reference_skills=[-0.3 + 0.01 * (-1) ** day for day in range(30)],
        ).to_bytes()

    def register(self, version: str = "1", profile: bytes | None = None) -> str:
        """A version in the registry under the alias `candidate`; its address."""
        files = {
            "model.onnx": os.urandom(8),
            "profile.json": self.profile() if profile is None else profile,
            "samples.json": json.dumps([{"distance": 900.0, "carrier": "UA"}]).encode(),
        }
        made = write_model_folder(self.folder / "models", files, {"trimtab.rows": "1"})
        registry = MlflowServerRegistry(self.server, [made.path / file for file in KEPT])
        uri = f"s3://models/{made.digest[:16]}"
        held = registry.register(self.model, uri, made.digest, {"rows": "1"})
        assert held.version == version
        registry.set_alias(self.model, "candidate", version)
        return uri

    # --- what others write

    def create(self, *made: Json) -> None:
        for obj in made:
            assert self.cluster.create(obj) is not None

    def serve(self, uri: str, version: str = "1", revision: str = REVISION, name: str = "flights") -> None:
        """As the rollout's own reconcile does."""
        stable = {"revision": revision, "version": version, "uri": uri, "digest": version * 64}
        status = {"phase": "Idle", "stable": stable, "traffic": {revision: 100}}
        self.cluster.merge(MODEL_ROLLOUT, self.namespace, name, {"status": status}, status=True)

    def history(self) -> None:
        """What came true before anything was served: climatology."""
        told = [
            Label(f"before-{day}-{row}", row % 2, START - day * DAY + HOUR, START - day * DAY)
            for day in range(2, 40)
            for row in range(24)
        ]
        self.evidence.labels(told)

    def day(self, number: int, *, wrong: bool = False, moved: bool = False, revision: str = REVISION) -> None:
        """One day of requests and of what came true. Wrong: the model is sure, and mistaken."""
        begin = START + number * DAY
        events, labels = [], []
        for hour in range(24):
            at = begin + hour * HOUR + timedelta(minutes=30)
            ids = [f"row-{number}-{hour}-{row}" for row in range(ROWS_AN_HOUR)]
            truth = [row % 2 for row in range(ROWS_AN_HOUR)]
            right = [0.75 if one else 0.25 for one in truth]
            distance = self.draw.normal(1000.0, 100.0, ROWS_AN_HOUR) + (400.0 if moved else 0.0)
            features = {
                "distance": distance.tolist(),
                "carrier": self.draw.choice(["UA", "AA", "WN"], ROWS_AN_HOUR).tolist(),
            }
            predictions = [1 - p for p in right] if wrong else right
            events.append(inference(f"request-{number}-{hour}", at, revision, ids, features, predictions))
            labels += [Label(one, y, at + HOUR) for one, y in zip(ids, truth, strict=True)]
        answer = self.post(events)
        assert answer.status_code == 202, answer.text
        self.evidence.labels(labels)

    def post(self, events: Sequence[Json]) -> httpx.Response:
        headers = {"content-type": "application/cloudevents-batch+json"}
        return httpx.post(
            self.collector, content=json.dumps(events), headers=headers, timeout=60, trust_env=False
        )

    # --- looks, and what is seen

    def look(self, name: str = "watch") -> float | None:
        again_s = None
        for _ in range(3):  # a revision that the collector did not know is made known by the first look
            again_s = self.monitors.look(self.namespace, name)
        return again_s

    def look_policy(self, name: str = "again") -> float | None:
        return self.policies.look(self.namespace, name)

    def status(self, kind: Kind, name: str) -> Json:
        held = self.cluster.get(kind, self.namespace, name)
        assert held is not None
        return dict(held.get("status") or {})

    def watch(self, name: str = "watch") -> Json:
        return self.status(DRIFT_MONITOR, name)

    def again(self, name: str = "again") -> Json:
        return self.status(RETRAIN_POLICY, name)

    def metric(self, series: str) -> float | None:
        for line in self.metrics.text().decode().splitlines():
            if line.startswith(series):
                return float(line.rsplit(" ", 1)[1])
        return None


def condition(status: Json, kind: str) -> Json:
    found = [one for one in status.get("conditions", []) if one["type"] == kind]
    return dict(found[0]) if found else {}


def inference(
    id: str, at: datetime, revision: str, ids: Sequence[str], features: Json, predictions: Sequence[float]
) -> Json:
    """As our own server sends it."""
    time_us = int(at.timestamp() * 1_000_000)
    return {
        "specversion": "1.0",
        "type": "dev.trimtab.inference",
        "id": id,
        "source": f"{revision}/pod",
        "time": at.isoformat().replace("+00:00", "Z"),
        "inferenceservicename": f"flights-{revision}",
        "revision": revision,
        "status": 200,
        "durationms": 3.5,
        "rows": len(ids),
        "data": {
            "ids": list(ids),
            "times": [time_us] * len(ids),
            "features": features,
            "predictions": list(predictions),
        },
    }

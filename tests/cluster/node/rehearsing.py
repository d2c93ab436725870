"""A team's namespace in a rehearsal: an MLflow server, a volume for runs and models, and the three resources."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster.kube import images
from tests.cluster.node import deployed, rollouts
from tests.cluster.node.served import MODEL

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

ROOT = Path(__file__).parents[3]
SPEED = 3600
"""An hour takes a second, a window of a day 24."""
START = datetime(2013, 2, 24, 3, tzinfo=UTC)
"""Five days, or two minutes, before the policy's monthly run."""
HOME = "/trimtab"
CLAIM = "home"
VOLUME = {"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}
"""Runs keep their files here; model servers read models and the online store that runs fill."""
MLFLOW_PORT = 5000
MONITOR: dict[str, Any] = {
    "target": {"rolloutRef": MODEL},
    "window": {"length": "1d", "minRows": 500},
    "trip": {"windows": 2, "of": 3, "driftedShare": "0.2"},
    "minCoverage": "0",
}
STEPS: list[dict[str, Any]] = [
    {"name": "shadow", "shadow": {"percent": 100}, "until": {"minDuration": "1d"}},
    {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1d", "maxDuration": "20d"}},
]
CHECKS: list[dict[str, Any]] = [
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": {"absolute": "0.05"},
        "block": "request",
        "steps": ["half"],
        "require": "Pass",
    }
]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """When the loop's time began, by the machine's."""

    since: datetime

    @property
    def told(self) -> tuple[str, str, str]:
        """As the model server takes it."""
        return self.since.isoformat(), START.isoformat(), str(SPEED)

    def configuration(self, namespace: str) -> str:
        """The operator's."""
        since, start, speed = self.told
        return (
            f"{deployed.CONFIGURATION}"
            f"rehearsal: {{since: '{since}', start: '{start}', speed: {speed}}}\n"
            f"providers: {{mlflow: [{{name: mlflow, url: 'http://mlflow.{namespace}.svc:{MLFLOW_PORT}'}}]}}\n"
        )


@contextmanager
def rehearsed(node: "Node", folder: Path, namespace: str) -> Iterator[Rehearsal]:
    """The operator's time sped up, from now on; as it was afterwards."""
    rehearsal = Rehearsal(datetime.now(UTC))
    deployed.deploy(node, folder / "rehearsing", rehearsal.configuration(namespace))
    try:
        yield rehearsal
    finally:
        deployed.deploy(node, folder / "as-it-was")


def furnish(node: "Node", namespace: str, rehearsal: Rehearsal, folder: Path) -> str:
    """What stands in the namespace before the three resources do; where a run's pod finds the project's bundle."""
    from tests.cluster.kube import node_volumes

    runtime, *others = rollouts.surroundings(namespace)
    runtime["spec"]["volumes"] = [VOLUME]
    [server] = runtime["spec"]["containers"]
    server["volumeMounts"] = [{"name": CLAIM, "mountPath": HOME}]
    server["args"] += [f"--online={HOME}/.trimtab/online.db", "--rehearsal", *rehearsal.told]
    node.apply(runtime, *others, *_pipelines(namespace), *_mlflow(namespace))
    home = folder / "home"
    home.mkdir(parents=True)
    bundle = _bundle(folder / "flights", home)
    node_volumes.share(node, namespace, CLAIM, home)
    volume(node, namespace).chmod(0o777)
    node.wait_for_rollout(namespace, "mlflow", 180)
    return f"file://{HOME}/{bundle}"


def resources(namespace: str, project: str) -> Sequence[dict[str, Any]]:
    """The rollout of whatever the registry's alias names, its monitor, and the policy that trains for it."""
    wished = {"registry": {"providerRef": "mlflow", "name": MODEL, "pollEvery": "3h"}}
    rollout = rollouts.rollout(namespace, wished, steps=STEPS, checks=CHECKS, keep_previous="1d")
    rollout["spec"]["strategy"]["warmUp"] = {"requests": 10, "timeout": "5d"}
    job = {
        "image": images.TRAINING,
        "cpu": "1",
        "memory": "3Gi",
        "env": [{"name": "TRIMTAB_MODELS", "value": f"pvc://{CLAIM}/.trimtab/models"}],
        "volumes": [VOLUME],
        "volumeMounts": [{"name": CLAIM, "mountPath": HOME}],
        "retries": 0,
    }
    triggers = [
        {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}},
        {"name": "drift", "drift": {"monitorRef": MODEL}},
    ]
    guards = {"cooldown": "1h", "maxPerDay": 5}
    policy = {"pipeline": {"job": job, "project": project}, "triggers": triggers, "guards": guards}

    def named(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        meta = {"name": MODEL, "namespace": namespace}
        return {"apiVersion": "trimtab.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}

    return rollout, named("DriftMonitor", MONITOR), named("RetrainPolicy", policy)


def volume(node: "Node", namespace: str) -> Path:
    """The runs' files, seen from this host."""
    return node.place / "volumes" / namespace / CLAIM


def learned_rows(node: "Node", namespace: str, rows: int) -> list[dict[str, Any]]:
    """Rows that the newest run learned from, drawn by chance: column of the features' table to value."""
    from deltalake import DeltaTable

    from trimtab.adapters.projects.home import Home

    (table,) = Home.of(volume(node, namespace)).tables.glob("_features/*")
    found: list[dict[str, Any]] = (
        DeltaTable(table).to_pandas().sample(rows, random_state=7).to_dict("records")
    )
    return found


def bodies(rows: Sequence[dict[str, Any]], *, stormy: bool = False) -> list[dict[str, Any]]:
    """A V2 request a row; where it is stormy, they are such as no model has seen."""
    return [_body({**row, **STORM} if stormy else row) for row in rows]


STORM = {
    "temp": 120.0, "wind_speed": 90.0, "visib": 0.1, "pressure": 940.0, "precip": 3.0, "humid": 100.0,
    "carrier": "HA", "dest": "HNL", "distance": 4983.0, "minute_of_day": 180.0, "plane_year": 1970.0,
}  # fmt: skip
"""And only old machines leave by night, for a far island: weather alone is a season's, and would not be counted."""
NUMBERS = (
    "distance", "carrier_late_7d", "origin_late_7d", "temp", "wind_speed", "visib", "pressure", "precip", "humid",
    "plane_year",
)  # fmt: skip


def _body(row: dict[str, Any]) -> dict[str, Any]:
    """What features.py turns into the row again; what a view would look up is given."""
    minute = int(row["minute_of_day"])
    told: dict[str, Any] = {
        "flight_id": str(row["trimtab_id"]),
        "scheduled_departure": row["trimtab_time"].isoformat(),
        **{name: str(row[name]) for name in ("carrier", "origin", "dest")},
        "tailnum": "",
        "local_hour": float(minute // 60),
        "minute": float(minute % 60),
        **{name: None if row[name] != row[name] else float(row[name]) for name in NUMBERS},
    }
    return {
        "inputs": [
            {
                "name": name,
                "shape": [1],
                "datatype": "BYTES" if isinstance(value, str) else "FP64",
                "data": [value],
            }
            for name, value in told.items()
        ]
    }


def _bundle(project: Path, output: Path) -> str:
    """Pack the flights project; a gate lets two months' model pass."""
    shutil.copytree(ROOT / "examples" / "flights", project, ignore=shutil.ignore_patterns(".trimtab"))
    declared = (project / "trimtab.yaml").read_text()
    (project / "trimtab.yaml").write_text(declared.replace("atLeast: 0.68", "atLeast: 0.55"))
    command = [str(Path(sys.executable).with_name("trimtab")), "pipeline", "bundle", "-o", str(output)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (made,) = output.glob("*.tar.gz")
    return made.name


def _pipelines(namespace: str) -> list[dict[str, Any]]:
    """The account of the samples as which runs are made, with its rights."""
    told = yaml.safe_load_all((ROOT / "manifests" / "samples" / "serviceaccount.yaml").read_text())
    mine = [one for one in told if one["metadata"]["name"] == "trimtab-pipelines"]
    for one in mine:
        one["metadata"]["namespace"] = namespace
        for subject in one.get("subjects", ()):
            subject["namespace"] = namespace
    return mine


def _mlflow(namespace: str) -> list[dict[str, Any]]:
    """A registry, its artefacts proxied, all kept in the pod."""
    labels, meta = {"app": "mlflow"}, {"name": "mlflow", "namespace": namespace}
    container = {
        "name": "mlflow",
        "image": images.TRAINING,
        "command": ["/usr/bin/python3", "-m", "mlflow", "server", "--workers", "1", "--host", "0.0.0.0"],
        "args": [
            "--port", str(MLFLOW_PORT), "--allowed-hosts", "*",
            "--backend-store-uri", "sqlite:////tmp/mlflow.db", "--artifacts-destination", "/tmp/artifacts",
        ],
        "env": [
            {"name": "MLFLOW_DISABLE_TELEMETRY", "value": "true"},
            {"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"},
        ],
        "readinessProbe": {"httpGet": {"path": "/health", "port": MLFLOW_PORT}, "timeoutSeconds": 5},
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    port = {"port": MLFLOW_PORT, "targetPort": MLFLOW_PORT}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [port]},
        },
    ]

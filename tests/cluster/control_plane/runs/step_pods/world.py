"""The pod of a run, a task of it, and what they may do."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.control_plane.runs.conftest import PIPELINES
from tests.cluster.control_plane.runs.jobs import rights, terminated
from tests.cluster.documented_rules import documented_rules
from trimtab.adapters.kfp.warm import Task
from trimtab.adapters.step_pods import STEPS_OF
from trimtab.ports.cluster import Kind

QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
RULES = [*rights(), *documented_rules("kubeflow-pipelines.md")]
SMALL = {
    "resourceCpuLimit": "1",
    "resourceMemoryLimit": "1Gi",
    "resourceCpuRequest": "1",
    "resourceMemoryRequest": "1Gi",
}
EXECUTOR = {
    "image": "ml:1",
    "command": ["sh", "-ec", "run"],
    "args": ["--executor_input", "{{$}}"],
    "resources": SMALL,
}
RETRY = {"maxRetryCount": 1, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "300s"}
DONE = terminated(0)
EVENTS = list[Mapping[str, Any]]
Mounts = tuple[tuple[Any, ...], ...]


def bounded(short: bool = False) -> Callable[[float], None]:
    """Pauses, a minute of them at most in all; short ones in place of long ones."""
    until = time.monotonic() + 60.0

    def pause(seconds: float) -> None:
        assert time.monotonic() < until, "a step does not end"
        time.sleep(min(seconds, 0.05) if short else seconds)

    return pause


def step_of(job: str, own: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """A step's pod after the run's."""
    meta = own["metadata"]
    step = run_pod(meta["namespace"], name or f"{meta['name']}-train-1")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    step["metadata"] |= {"labels": {STEPS_OF: job}, "ownerReferences": [owner]}
    return step


def run_pod(
    space: str, name: str = "flights-abcde", mounts: Mounts = (), run: str = "flights"
) -> dict[str, Any]:
    """The pod of a run's Job."""
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim, *_ in mounts]
    mounted_at = [{"name": claim, "mountPath": path, **dict(*more)} for claim, path, *more in mounts]
    spec = {
        "containers": [{"name": "run", "image": "ml:1", "volumeMounts": mounted_at}],
        "volumes": volumes,
        "serviceAccountName": PIPELINES,
        "securityContext": {"runAsNonRoot": True},
    }
    meta = {"name": name, "namespace": space, "labels": {"trimtab.dev/run": run}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def train(folder: Path) -> Task:
    given = {"outputs": {"outputFile": str(folder / "train" / "executor_output.json")}}
    command = ("sh", "-ec", "run", "--executor_input", json.dumps(given))
    return Task("train", "", json.dumps(given), {}, command)

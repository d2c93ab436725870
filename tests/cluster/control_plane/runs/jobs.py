"""The Job of a policy, and what a kubelet would write of its pod."""

from pathlib import Path
from typing import Any

import yaml

from trimtab.adapters.jobs import JobRuns, job_name
from trimtab.ports.runs import Run, RunState
from trimtab.retrain import run_key

KEY = run_key("a", "b", 1)
UNTIL = {"until": "2013-07-01T00:00:00+00:00"}
NAME = job_name("flights", KEY)
PIPELINE: dict[str, Any] = {
    "project": "s3://projects/flights-0123456789abcdef.tar.gz",
    "job": {
        "image": "trimtab:1",
        "retries": 0,
        "env": [{"name": "REGION", "value": "eu"}],
        "envFrom": [{"secretRef": {"name": "storage"}}],
        "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
        "volumeMounts": [{"name": "models", "mountPath": "/trimtab"}],
    },
}


def rights() -> list[dict[str, Any]]:
    """What the account of a policy's runs may, as the samples have it."""
    sample = Path(__file__).parents[4] / "manifests/samples/serviceaccount.yaml"
    objects = yaml.safe_load_all(sample.read_text())
    rules: list[dict[str, Any]] = next(
        one["rules"]
        for one in objects
        if one["kind"] == "Role" and one["metadata"]["name"] == "trimtab-pipelines"
    )
    return rules


def terminated(code: int, *, reason: str = "", message: str = "", **status: Any) -> dict[str, Any]:
    how = {"exitCode": code, "reason": reason or ("Completed" if code == 0 else "Error"), "message": message}
    return {
        "phase": "Succeeded" if code == 0 else "Failed",
        "containerStatuses": [state(terminated=how)],
        **status,
    }


def waiting(reason: str, message: str) -> dict[str, Any]:
    return {"phase": "Pending", "containerStatuses": [state(waiting={"reason": reason, "message": message})]}


def state(**now: Any) -> dict[str, Any]:
    return {
        "name": "run",
        "image": "trimtab:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": now,
    }


def ended(runs: JobRuns, key: str) -> Run:
    from tests.cluster.kube.poll import eventually

    def over() -> Run | None:
        run = runs.find(key)
        return run if run is not None and run.state not in (RunState.PENDING, RunState.RUNNING) else None

    return eventually("the run is over", over)

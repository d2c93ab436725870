"""Runs as Jobs: a real API server makes them once, the real Job controller ends them; pods' words are a kubelet's."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.cluster.control_plane.runs.jobs import KEY, NAME, PIPELINE, UNTIL, ended, state, terminated
from trimtab.adapters.claims import InClusterClaims, read_claim
from trimtab.adapters.jobs import JOB, JobRuns
from trimtab.adapters.jobs.message import Ended
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Effect
from trimtab.ports.cluster import Kind, Refused
from trimtab.ports.runs import Run, RunState

EFFECT = Effect("3", True, True, "log_loss 0.5", datetime(2013, 7, 1, tzinfo=UTC), 4000)


@pytest.fixture
def claims(plane: Any, space: str, tmp_path: Path) -> InClusterClaims:
    from tests.cluster.control_plane.runs.conftest import PIPELINES, mounted

    return InClusterClaims(space, plane.url, mounted(plane, space, PIPELINES, tmp_path / "account"))


def test_the_job_of_a_key_is_made_once_as_the_policys_account(
    runs: Callable[..., JobRuns], plane: Any, space: str
) -> None:
    before = plane.audit_log.stat().st_size
    assert runs().find(KEY) is None
    settings = {
        "parameters": lambda: {"stable": "2"},
        "environment": {"TRIMTAB_MLFLOW": "http://mlflow:5000"},
    }
    assert runs(**settings).start(KEY, UNTIL) == Run(NAME, KEY, RunState.PENDING)
    assert runs().start(KEY, UNTIL).id == NAME
    job = plane.cluster.read(JOB, space, NAME)
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "trimtab-pipelines"
    (container,) = pod["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["TRIMTAB_MLFLOW"] == "http://mlflow:5000"
    assert variables["REGION"] == "eu"
    assert json.loads(variables["TRIMTAB_PARAMETERS"]) == {"stable": "2", **UNTIL}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [one["mountPath"] for one in container["volumeMounts"]] == ["/trimtab", "/tmp"]
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    created = [
        call
        for call in plane.calls(since=before)
        if call["verb"] == "create"
        and call["objectRef"]["resource"] == "jobs"
        and call["stage"] == "ResponseComplete"
    ]
    mine = [c for c in created if c["objectRef"].get("namespace") == space]
    assert [c["impersonatedUser"]["username"] for c in mine] == [
        f"system:serviceaccount:{space}:trimtab-pipelines"
    ]


def test_a_platform_is_handed_to_the_run(runs: Callable[..., JobRuns], plane: Any, space: str) -> None:
    for pipeline, told in (
        (PIPELINE, []),
        ({**PIPELINE, "job": {**PIPELINE["job"], "platform": "eu"}}, ["--platform", "eu"]),
    ):
        runs(pipeline).start(KEY, UNTIL)
        [container] = plane.cluster.read(JOB, space, NAME)["spec"]["template"]["spec"]["containers"]
        assert container["args"][8:] == told
        runs(pipeline).end(KEY)


def test_what_a_policy_mounts_and_says_of_its_pod_goes_before_the_jobs_own(
    runs: Callable[..., JobRuns], plane: Any, space: str
) -> None:
    local = {"type": "Localhost", "localhostProfile": "own.json"}
    asked = {
        "volumes": [{"name": "fast", "emptyDir": {"medium": "Memory"}}],
        "volumeMounts": [{"name": "fast", "mountPath": "/tmp/"}],
        "securityContext": {"runAsUser": 1000, "seccompProfile": local},
    }
    runs({**PIPELINE, "job": {**PIPELINE["job"], **asked}}).start(KEY, UNTIL)
    pod = plane.cluster.read(JOB, space, NAME)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert mounted == {"/tmp/": "fast", "/trimtab": "trimtab-home"}
    assert pod["securityContext"] == {"runAsUser": 1000, "seccompProfile": local}
    assert "seccompProfile" not in container["securityContext"]


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({}, {}),
        ({"gpu": 2}, {"nvidia.com/gpu": "2"}),
        ({"gpu": 1, "accelerator": "amd.com/gpu"}, {"amd.com/gpu": "1"}),
    ],
)
def test_the_accelerators_of_a_policy_are_the_pods(
    runs: Callable[..., JobRuns], plane: Any, space: str, asked: dict[str, Any], held: dict[str, str]
) -> None:
    runs({**PIPELINE, "job": {**PIPELINE["job"], **asked}}).start(KEY, UNTIL)
    (container,) = plane.cluster.read(JOB, space, NAME)["spec"]["template"]["spec"]["containers"]
    least = {"cpu": "2", "memory": "4Gi"}
    assert container["resources"] == {"requests": least | held, "limits": least | held}


@pytest.mark.parametrize("accelerator", ["gpu", "nvidia.com/", "-x/gpu", "nvidia.com/gpu "])
def test_an_accelerator_is_named_as_a_resource_is(accelerator: str) -> None:
    with pytest.raises(ValidationError, match="accelerator"):
        Pipeline.model_validate({**PIPELINE, "job": {**PIPELINE["job"], "accelerator": accelerator}})


def test_an_account_that_may_not_make_jobs_is_told(runs: Callable[..., JobRuns]) -> None:
    with pytest.raises(Refused, match="cannot create"):
        runs({**PIPELINE, "serviceAccountName": "default"}).start(KEY, UNTIL)


def test_a_job_goes_with_its_policy(runs: Callable[..., JobRuns], plane: Any, space: str) -> None:
    from tests.cluster.kube.poll import eventually

    config = Kind("", "v1", "ConfigMap", "configmaps")
    meta = {"name": "owner", "namespace": space}
    owner = plane.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    runs(owner=owner).start(KEY, UNTIL)
    plane.cluster.delete(config, space, "owner")
    eventually("the Job is gone", lambda: plane.cluster.read(JOB, space, NAME) is None)


def test_what_the_pod_left_is_its_result(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    runs().start(KEY, UNTIL)
    left = Ended(
        version="7", passed=False, because="log_loss 0.7 > 0.6, ä", until=UNTIL["until"], labelled=10
    )
    pod(terminated(0, message=left.to_text()))
    assert ended(runs(), KEY) == Run(
        NAME, KEY, RunState.SUCCEEDED, "7", False, "log_loss 0.7 > 0.6, ä", EFFECT.until, 10
    )


def test_a_run_that_came_second_is_skipped(runs: Callable[..., JobRuns], pod: Callable[..., str]) -> None:
    runs().start(KEY, UNTIL)
    pod(terminated(0, message=Ended(skipped=True).to_text()))
    assert ended(runs(), KEY).state is RunState.SKIPPED


def test_what_a_run_registered_outlives_its_job_and_its_job_is_not_made_again(
    runs: Callable[..., JobRuns], plane: Any, space: str, claims: InClusterClaims
) -> None:
    from tests.cluster.kube.poll import eventually

    runs().start(KEY, UNTIL)
    uid = plane.cluster.read(JOB, space, NAME)["metadata"]["uid"]
    claims.take(KEY, uid)
    claims.settle(KEY, uid, EFFECT)
    runs().end(KEY)
    eventually("the Job is gone", lambda: plane.cluster.read(JOB, space, NAME) is None)
    done = runs().start(KEY, UNTIL)
    assert (done.state, done.version, done.labelled) == (RunState.SUCCEEDED, "3", 4000)
    assert plane.cluster.read(JOB, space, NAME) is None


def test_a_job_that_was_deleted_in_the_middle_has_failed_and_nothing_follows_it(
    runs: Callable[..., JobRuns], plane: Any, space: str, claims: InClusterClaims
) -> None:
    from tests.cluster.kube.poll import eventually

    runs().start(KEY, UNTIL)
    claims.take(KEY, plane.cluster.read(JOB, space, NAME)["metadata"]["uid"])
    runs().end(KEY)
    eventually("the Job is gone", lambda: plane.cluster.read(JOB, space, NAME) is None)
    done = runs().start(KEY, UNTIL)
    assert done.state is RunState.FAILED
    assert "deleted before it had registered" in done.because
    assert read_claim(plane.cluster, space, KEY) is not None


def test_a_pod_that_runs_is_a_run_that_runs(runs: Callable[..., JobRuns], pod: Callable[..., str]) -> None:
    runs().start(KEY, UNTIL)
    pod({"phase": "Running", "containerStatuses": [state(running={"startedAt": "2026-01-01T00:00:00Z"})]})
    assert runs().find(KEY) == Run(NAME, KEY, RunState.RUNNING)

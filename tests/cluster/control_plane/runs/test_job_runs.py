"""Runs as Jobs: a real API server makes them once, the real Job controller ends them; pods' words are a kubelet's."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from trimtab.adapters.claims import InClusterClaims, read_claim
from trimtab.adapters.jobs import JOB, POD, JobRuns, job_name
from trimtab.adapters.jobs.message import Ended
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Effect
from trimtab.ports.cluster import Kind, Refused
from trimtab.ports.runs import Run, RunState
from trimtab.retrain import run_key

KEY = run_key("a", "b", 1)
UNTIL = {"until": "2013-07-01T00:00:00+00:00"}
EFFECT = Effect("3", True, True, "log_loss 0.5", datetime(2013, 7, 1, tzinfo=UTC), 4000)
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
RIGHTS = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "update", "delete"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "update"]},
]


@pytest.fixture(scope="module")
def plane() -> Iterator[Any]:
    """A control plane with Kubernetes' own controllers, and no node: pods stay as the tests leave them."""
    from tests.cluster.kube.controllers import controller_manager
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane, controller_manager(plane):
        yield plane


@pytest.fixture
def space(plane: Any) -> Iterator[str]:
    from tests.cluster.control_plane.runs.conftest import PIPELINES, allow
    from tests.cluster.kube.namespaces import fresh

    with fresh(plane.cluster) as name:
        allow(plane.cluster, name, PIPELINES, RIGHTS)
        yield name


@pytest.fixture
def runs(plane: Any, space: str) -> Callable[..., JobRuns]:
    def make(pipeline: dict[str, Any] = PIPELINE, **more: Any) -> JobRuns:
        return JobRuns(plane.cluster, space, "flights", Pipeline.model_validate(pipeline), **more)

    return make


@pytest.fixture
def pod(plane: Any, space: str) -> Callable[..., str]:
    """The run's pod, once the Job controller made it, with a status as a kubelet would write it."""
    from tests.cluster.kube.poll import eventually

    def write(status: dict[str, Any]) -> str:
        made = eventually(
            "the pod is made", lambda: plane.cluster.list(POD, space, {"trimtab.dev/run": NAME})
        )
        name = str(made[0]["metadata"]["name"])
        plane.cluster.merge(POD, space, name, {"status": status}, status=True)
        return name

    return write


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
    assert [one["mountPath"] for one in container["volumeMounts"]] == ["/trimtab"]
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


DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                             "message": "Eviction API: evicting"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (terminated(137, reason="OOMKilled"), ["out of memory (OOMKilled)", "raise spec.pipeline.job.memory"]),
        (terminated(2, message=Ended(failed="there is no s3://x; see spec").to_text()), ["there is no s3://x"]),
        (terminated(1, message="Traceback\n ImportError: kfp"), ["with status 1", "ImportError: kfp", "kubectl logs"]),
        (terminated(143, reason="Error", message=""), ["ended with status 143"]),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            ["was evicted", "low on resource: memory"],
        ),
    ],
    ids=["memory", "own words", "crash", "terminated", "evicted"],
)  # fmt: skip
def test_why_a_run_failed_is_a_sentence_with_a_remedy(
    runs: Callable[..., JobRuns], pod: Callable[..., str], status: dict[str, Any], said: list[str]
) -> None:
    runs().start(KEY, UNTIL)
    pod(status)
    run = ended(runs(), KEY)
    assert run.state is RunState.FAILED
    for words in said:
        assert words in run.because


def test_a_pod_pushed_off_its_node_costs_no_retry(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    """retries is 0, and yet another pod comes."""
    from tests.cluster.kube.poll import eventually

    runs().start(KEY, UNTIL)
    first = pod(terminated(143, **DISRUPTED))

    def another() -> list[str]:
        made = plane.cluster.list(POD, space, {"trimtab.dev/run": NAME})
        return [one["metadata"]["name"] for one in made if one["metadata"]["name"] != first]

    eventually("another pod", another)
    found = runs().find(KEY)
    assert found is not None
    assert found.state is RunState.PENDING


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (waiting("ImagePullBackOff", "Back-off pulling image"), ["ImagePullBackOff", "spec.pipeline.job.image"]),
        (waiting("CreateContainerConfigError", 'secret "storage" not found'), ['secret "storage"', "envFrom"]),
    ],
    ids=["image", "secret"],
)  # fmt: skip
def test_a_pod_that_cannot_start_is_told_and_given_up_after_a_quarter_of_an_hour(
    runs: Callable[..., JobRuns], pod: Callable[..., str], status: dict[str, Any], said: list[str]
) -> None:
    runs().start(KEY, UNTIL)
    pod(status)
    soon, late = runs(), runs(now=lambda: datetime.now(UTC) + timedelta(minutes=16))
    soon.tend(KEY)
    found = soon.find(KEY)
    assert found is not None
    assert found.state is RunState.PENDING
    late.tend(KEY)
    late.tend(KEY)
    run = ended(soon, KEY)
    assert run.state is RunState.FAILED
    for words in said:
        assert words in found.because
        assert words in run.because


def test_a_pod_that_no_node_takes_is_told(runs: Callable[..., JobRuns], pod: Callable[..., str]) -> None:
    runs().start(KEY, UNTIL)
    lacking = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
               "message": "0/3 nodes are available: 3 Insufficient cpu."}  # fmt: skip
    pod({"conditions": [lacking]})
    found = runs().find(KEY)
    assert found is not None
    assert "3 Insufficient cpu" in found.because
    assert "lower spec.pipeline.job.cpu" in found.because


def test_a_pod_that_runs_is_a_run_that_runs(runs: Callable[..., JobRuns], pod: Callable[..., str]) -> None:
    runs().start(KEY, UNTIL)
    pod({"phase": "Running", "containerStatuses": [state(running={"startedAt": "2026-01-01T00:00:00Z"})]})
    assert runs().find(KEY) == Run(NAME, KEY, RunState.RUNNING)


def test_a_quota_that_takes_no_pod_is_told_within_a_minute(
    runs: Callable[..., JobRuns], plane: Any, space: str
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "0"}}}
    plane.cluster.create({**quota, "metadata": {"name": "none", "namespace": space}})
    runs().start(KEY, UNTIL)
    found = runs(now=lambda: datetime.now(UTC) + timedelta(minutes=2)).find(KEY)
    assert found is not None
    assert found.state is RunState.PENDING
    assert "a quota" in found.because
    assert f"kubectl -n {space} describe job {NAME}" in found.because


def test_a_run_past_its_deadline_has_failed(runs: Callable[..., JobRuns]) -> None:
    short = {**PIPELINE, "job": {**PIPELINE["job"], "deadline": "1s"}}
    runs(short).start(KEY, UNTIL)
    run = ended(runs(short), KEY)
    assert run.state is RunState.FAILED
    assert "longer than spec.pipeline.job.deadline" in run.because

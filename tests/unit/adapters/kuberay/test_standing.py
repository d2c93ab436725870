"""What hinders a RayCluster is told with what to do about it."""

from typing import Any

import pytest

from trimtab.adapters.kuberay.standing import (
    ended,
    harm,
    held_back,
    hindrance,
    is_ready,
    is_stuck,
    is_suspended,
    lost,
    refused,
    slowness,
)


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w-1"}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod(containerStatuses=[{"state": {"waiting": {"reason": reason, "message": message}}}])


def unschedulable(message: str) -> dict[str, Any]:
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(conditions=[said])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (waiting("ImagePullBackOff", "no such image"), "imagePullSecrets"),
        (waiting("CreateContainerConfigError", 'secret "storage" not found'), 'secret "storage" not found'),
        (unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), "training.device: cpu"),
        (unschedulable("0/3 nodes are available: 3 Insufficient memory."), "take fewer workers"),
    ],
)
def test_what_keeps_a_pod_from_starting(found: dict[str, Any], said: str) -> None:
    assert said in hindrance([pod(phase="Running"), found])
    assert "w-1" in hindrance([found])


def test_only_what_does_not_mend_itself_is_stuck() -> None:
    assert is_stuck([waiting("ImagePullBackOff")])
    assert not is_stuck([waiting("ContainerCreating"), unschedulable("no room"), pod()])


def test_an_init_container_that_hangs_tells_of_itself() -> None:
    found = pod(initContainerStatuses=[{"state": {"waiting": {"reason": "ErrImageNeverPull"}}}])
    assert "ErrImageNeverPull" in hindrance([found])


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_a_worker_without_memory(where: str) -> None:
    found = pod(containerStatuses=[{where: {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}])
    assert "spec.pipeline.job.memory" in harm([found])
    assert harm([pod(phase="Running")]) == ""


def test_an_evicted_pod() -> None:
    assert "low on resource" in harm([pod(reason="Evicted", message="The node was low on resource: memory.")])


def test_a_quota_that_is_too_small() -> None:
    failing = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": "exceeded quota: small, requested: cpu=2",
    }
    assert "ResourceQuota" in refused({"status": {"rayClusterStatus": {"conditions": [failing]}}})
    assert refused({}) == ""


def test_it_is_ready_with_its_head_and_all_workers() -> None:
    head, first, second = node("head"), node("worker"), node("worker")
    assert is_ready([first, head, second], 2)
    assert not is_ready([head, first, node("worker", ready="False")], 2)
    assert not is_ready([first, second], 2)
    assert not is_ready([], 2)


def node(type_: str, ready: str = "True") -> dict[str, Any]:
    said = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": "x", "labels": {"ray.io/node-type": type_}}, "status": {"conditions": said}}


def test_a_head_without_memory_is_not_helped_by_more_for_workers() -> None:
    ended = {"terminated": {"reason": "OOMKilled"}}
    assert "fewer workers" in harm([pod(containerStatuses=[{"name": "ray-head", "lastState": ended}])])


def test_a_pod_that_has_a_node_and_does_not_start() -> None:
    assert "ReadWriteOnce" in slowness([pod(), waiting("ContainerCreating")])
    assert slowness([pod(phase="Running"), waiting("ImagePullBackOff")]) == ""


def test_kueue_holds_it_back() -> None:
    assert is_suspended({"spec": {"suspend": True}})
    assert not is_suspended({"spec": {}})


def workload(**said: tuple[str, str]) -> dict[str, Any]:
    """As Kueue has it: a condition's type to its status and message."""
    conditions = [
        {"type": type_, "status": status, "message": text} for type_, (status, text) in said.items()
    ]
    return {"status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("workloads", "said"),
    [
        ([], ""),
        ([{}], ""),
        ([workload(QuotaReserved=("True", "Quota reserved in ClusterQueue team"))], ""),
        ([workload(QuotaReserved=("False", "ClusterQueue team is stopped"))], "ClusterQueue team is stopped"),
        (
            [workload(QuotaReserved=("True", "reserved"), Evicted=("True", "Preempted to accommodate"))],
            "Preempted to accommodate",
        ),
        (
            [workload(QuotaReserved=("False", "insufficient unused quota"), Evicted=("True", "Preempted"))],
            "insufficient unused quota",
        ),
        (
            [workload(QuotaReserved=("False", "request (2) > maximum capacity (1)"))],
            "request (2) > maximum capacity (1); raise the quota of its ClusterQueue, or take fewer workers",
        ),
    ],
)
def test_why_kueue_holds_it_back(workloads: list[dict[str, Any]], said: str) -> None:
    assert held_back(workloads) == said


def test_why_kueue_took_its_quota_away_is_told_before_what_it_waits_for_since() -> None:
    stopped = workload(
        QuotaReserved=("False", "ClusterQueue team is inactive"), Evicted=("True", "It is stopped")
    )
    assert held_back([stopped], evicted=True) == "It is stopped"
    waits = workload(
        QuotaReserved=("False", "ClusterQueue team is inactive"), Evicted=("False", "It was stopped")
    )
    assert held_back([waits], evicted=True) == "ClusterQueue team is inactive"


def test_what_kueue_says_is_told_of_a_suspension_in_mid_task() -> None:
    found = lost({"spec": {"suspend": True}}, [head()], "The ClusterQueue is stopped")
    assert found == "was suspended in mid-task (Kueue: The ClusterQueue is stopped)"


def head(phase: str = "Running", restarts: int = 0, **meta: str) -> dict[str, Any]:
    status = {"phase": phase, "containerStatuses": [{"name": "ray-head", "restartCount": restarts}]}
    return {
        "metadata": {"name": "h-1", "labels": {"ray.io/node-type": "head"}, **meta},
        "status": status,
    }


@pytest.mark.parametrize(
    ("suspended", "pods", "said"),
    [
        (False, [head()], ""),
        (True, [head()], "was suspended"),
        (False, [], "has lost its head"),
        (False, [head("Failed")], "has lost its head"),
        (False, [head(restarts=1)], "has lost its head"),
        (False, [head(deletionTimestamp="2026-01-01T00:00:00Z")], "has lost its head"),
    ],
)
def test_what_takes_pods_away_in_mid_task(suspended: bool, pods: list[dict[str, Any]], said: str) -> None:
    found = lost({"spec": {"suspend": suspended}}, pods)
    assert said in found
    assert bool(said) == bool(found)


def test_a_cluster_that_was_deleted_and_a_head_without_memory_are_told_so() -> None:
    assert "deleted meanwhile" in lost(None, [])
    killed = head(restarts=1)
    killed["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"reason": "OOMKilled"}}
    assert "out of memory" in lost({"spec": {}}, [killed])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, ""),
        ({"jobDeploymentStatus": "Running", "message": "Job is currently running."}, ""),
        ({"jobDeploymentStatus": "Complete"}, "Complete"),
        (
            {
                "jobDeploymentStatus": "Failed",
                "reason": "AppFailed",
                "message": "exit code 1, its log:\nx\n\nwhy\n  remedy: do\n",
            },
            "AppFailed: exit code 1, its log: why",
        ),
        (
            {
                "jobDeploymentStatus": "ValidationFailed",
                "reason": "ValidationFailed",
                "message": "no version",
            },
            "ValidationFailed: no version",
        ),
    ],
)
def test_why_a_job_is_over(status: dict[str, Any], said: str) -> None:
    assert ended({"status": status}) == said

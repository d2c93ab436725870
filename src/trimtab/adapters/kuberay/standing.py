"""How a RayJob and its pods stand, in words with a remedy: pure."""

from collections.abc import Sequence
from typing import Any, Final

from trimtab.adapters.hindrance import one_line
from trimtab.adapters.kuberay.ray_job import HEAD, WORKER
from trimtab.ports.cluster import Object

IMAGE: Final = "the image is that of the training pod: see its name, its registry and imagePullSecrets"
WAITING: Final = {
    "ErrImagePull": IMAGE,
    "ImagePullBackOff": IMAGE,
    "ErrImageNeverPull": IMAGE,
    "InvalidImageName": IMAGE,
    "CreateContainerConfigError": "see the Secrets and ConfigMaps that the training pod's env names",
    "CreateContainerError": "see the training pod's volumes and user",
    "RunContainerError": "see that the image holds bash, ray and trimtab",
    "CrashLoopBackOff": "see its log (kubectl logs)",
}
"""Why a container waits that does not start by itself, and what to look at."""
OUT_OF_MEMORY: Final = {
    WORKER: "raise the memory of the training pod (spec.pipeline.job.memory), which each worker has too",
    HEAD: "take fewer workers: what Ray's head may use is fixed",
}
DELETED: Final = (
    "was deleted meanwhile: by somebody, or because its head saw for 90 s no sign of this pod on their volume"
)
NODE_TYPE: Final = "ray.io/node-type"
REMEDY: Final = "  remedy: "
OVER: Final = ("Complete", "Failed", "ValidationFailed")
CREATING: Final = ("ContainerCreating", "PodInitializing")


def is_suspended(job: Object) -> bool:
    """Whether Kueue, or a person, holds it back."""
    return bool(job["spec"].get("suspend"))


def held_back(workloads: Sequence[Object], *, evicted: bool = False) -> str:
    """Why Kueue holds a RayJob back, as it says on the Workload that it makes for it; "" if it says nothing.

    Args:
        evicted: it had its quota: why that was taken away, rather than what it waits for since.
    """
    said = {
        (one["type"], one["status"]): one_line(one.get("message", ""))
        for workload in workloads
        for one in (workload.get("status") or {}).get("conditions") or []
    }
    waits, taken = said.get(("QuotaReserved", "False"), ""), said.get(("Evicted", "True"), "")
    because = (taken or waits) if evicted else (waits or taken)
    never = "maximum capacity" in because
    return f"{because}; raise the quota of its ClusterQueue, or take fewer workers" if never else because


def is_ready(pods: Sequence[Object], workers: int) -> bool:
    """Whether its head and that many workers are."""
    ready = [pod["metadata"]["labels"].get(NODE_TYPE) for pod in pods if _is_ready(pod)]
    return "head" in ready and ready.count("worker") >= workers


def is_stuck(pods: Sequence[Object]) -> bool:
    """Whether one waits for what does not mend itself."""
    waiting = (one.get("state", {}).get("waiting") or {} for pod in pods for one in _containers(pod))
    return any(one.get("reason", "") in WAITING for one in waiting)


def refused(job: Object) -> str:
    """Why its pods cannot even be made: a quota, a policy; "" if they can."""
    cluster = (job.get("status") or {}).get("rayClusterStatus") or {}
    failing = [
        one
        for one in cluster.get("conditions") or []
        if one["type"] == "ReplicaFailure" and one["status"] == "True"
    ]
    said = one_line(failing[0].get("message", "")) if failing else ""
    if not said:
        return ""
    remedy = "see kubectl describe raycluster"
    if "exceeded quota" in said:
        remedy = "raise the namespace's ResourceQuota, or take fewer workers"
    return f"its pods are refused: {said}; {remedy}"


def ended(job: Object) -> str:
    """Why it is over, as KubeRay says; "" if it is not."""
    status = job.get("status") or {}
    if status.get("jobDeploymentStatus") not in OVER:
        return ""
    lines = [line for line in status.get("message", "").splitlines() if line.strip() and REMEDY not in line]
    if len(lines) > 1:
        lines = [lines[0], lines[-1]]  # between them is a log
    told = [one_line(line).rstrip(":") for line in lines]
    return ": ".join([status.get("reason") or status["jobDeploymentStatus"], *told])


def has_begun(job: Object) -> bool:
    """Whether Ray's job server has it."""
    return bool((job.get("status") or {}).get("jobStatus"))


def hindrance(pods: Sequence[Object]) -> str:
    """What keeps a pod from starting; "" if nothing is known."""
    for pod in pods:
        name = pod["metadata"]["name"]
        for one in _containers(pod):
            waiting = one.get("state", {}).get("waiting") or {}
            if (reason := waiting.get("reason", "")) in WAITING:
                ended = one_line(waiting.get("message", ""))
                return f"pod {name} cannot start ({reason}: {ended}); {WAITING[reason]}"
        for condition in pod.get("status", {}).get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                said = one_line(condition.get("message", ""))
                what = "add a node with GPUs, or say training.device: cpu" if "gpu" in said else "add a node"
                return f"no node takes pod {name} ({said}); {what}, or take fewer workers"
    return ""


def slowness(pods: Sequence[Object]) -> str:
    """What may keep a pod that has a node from starting for long; "" if none is kept."""
    for pod in pods:
        for one in _containers(pod):
            if (one.get("state", {}).get("waiting") or {}).get("reason") in CREATING:
                name = pod["metadata"]["name"]
                return (
                    f"pod {name} has a node but does not start: its image may be large, or its volume not to be had "
                    f"on several nodes (ReadWriteOnce); kubectl describe pod {name}"
                )
    return ""


def harm(pods: Sequence[Object]) -> str:
    """What befell a pod that had started; "" if nothing is known."""
    for pod in pods:
        name = pod["metadata"]["name"]
        for one in _containers(pod):
            for state in (one.get("state") or {}, one.get("lastState") or {}):
                if (state.get("terminated") or {}).get("reason") == "OOMKilled":
                    remedy = OUT_OF_MEMORY.get(one.get("name", ""), OUT_OF_MEMORY[WORKER])
                    return f"pod {name} ran out of memory (OOMKilled); {remedy}"
        status = pod.get("status", {})
        if status.get("reason") == "Evicted":
            return f"pod {name} was evicted ({one_line(status.get('message', ''))}); {OUT_OF_MEMORY[WORKER]}"
    return ""


def lost(job: Object | None, pods: Sequence[Object], held: str = "") -> str:
    """What took away pods that were ready; "" if none was, or a worker that Ray Train starts anew.

    Args:
        held: what Kueue says of why, if it is suspended.
    """
    if job is None:
        return DELETED
    if is_suspended(job):
        return f"was suspended in mid-task ({f'Kueue: {held}' if held else 'Kueue, or spec.suspend'})"
    heads = [pod for pod in pods if pod["metadata"]["labels"].get(NODE_TYPE) == "head"]
    if any(_still_runs(pod) for pod in heads):
        return ""
    because = harm(heads)
    return f"has lost its head, and with it all that Ray knew{f': {because}' if because else ''}"


def _still_runs(head: Object) -> bool:
    if head["metadata"].get("deletionTimestamp") or head.get("status", {}).get("phase") != "Running":
        return False
    return not any(one.get("restartCount") for one in _containers(head) if one.get("name") == HEAD)


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _containers(pod: Object) -> Sequence[dict[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]

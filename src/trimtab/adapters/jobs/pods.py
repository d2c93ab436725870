"""What became of a run's pod, and why it does not come further: Kubernetes' words as a sentence with a remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from trimtab.adapters.hindrance import one_line
from trimtab.adapters.jobs.message import Ended
from trimtab.ports.cluster import Kind, Object

POD: Final = Kind("", "v1", "Pod", "pods")
OUT_OF_MEMORY: Final = 137


@dataclass(frozen=True, slots=True)
class Words:
    """Where a person says what a pod is given, for remedies.

    Attributes:
        image, memory, size, named, mounts, placing: one setting, or several.
    """

    image: str
    memory: str
    size: str
    named: str
    mounts: str
    placing: str


POLICY: Final = Words(
    image="spec.pipeline.job.image",
    memory="spec.pipeline.job.memory",
    size="spec.pipeline.job.cpu, memory or gpu",
    named="spec.pipeline.job.env and envFrom name",
    mounts="spec.pipeline.job.volumeMounts",
    placing="spec.pipeline.job.nodeSelector and tolerations",
)
WAITING: Final[Mapping[str, str]] = {
    "ErrImagePull": "{words.image}, its registry, and imagePullSecrets",
    "ImagePullBackOff": "{words.image}, its registry, and imagePullSecrets",
    "ErrImageNeverPull": "{words.image}: it is not on the node",
    "InvalidImageName": "{words.image}",
    "CreateContainerConfigError": "the Secrets and ConfigMaps that {words.named}",
    "CreateContainerError": "{words.mounts} and the image's user",
    "RunContainerError": "the image: does it hold python and trimtab?",
}
"""What to look at, by the reason for which a container waits and that does not mend itself."""
REFUSALS: Final = (
    (
        "exceeded quota",
        "lower spec.pipeline.job.cpu, memory or gpu, or raise the namespace's ResourceQuota (kubectl describe "
        "resourcequota)",
    ),
    (
        "violates PodSecurity",
        "say in spec.pipeline.job.securityContext what the namespace enforces, such as {runAsNonRoot: true}",
    ),
    ("service account", "make the service account that spec.pipeline.serviceAccountName names"),
)
"""What an admission that refuses the pod says, and what helps in a policy."""


def newest(pods: Sequence[Object]) -> Object | None:
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)


def message(pod: Object) -> Ended | None:
    """What the run itself left."""
    return Ended.from_text(last_words(pod))


def last_words(pod: Object) -> str:
    """What its container left, or the end of its log; "" while it works."""
    return str(_terminated(pod).get("message", ""))


def hindrance(pod: Object, words: Words = POLICY) -> str:
    """Why the pod does not start; "" if it does."""
    waiting = _container(pod).get("state", {}).get("waiting", {})
    reason, said = waiting.get("reason", ""), one_line(waiting.get("message", ""))
    if reason in WAITING:
        return f"its container cannot start ({reason}: {said}); see {WAITING[reason].format(words=words)}"
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            said = one_line(condition.get("message", ""))
            return f"no node takes its pod ({said}); {_room(said, words)}"
        if condition["type"] == "PodReadyToStartContainers" and condition["status"] == "False":
            return (
                f"its pod's volumes or network are not ready; kubectl describe pod {pod['metadata']['name']}"
            )
    return ""


def _room(said: str, words: Words) -> str:
    """What helps a pod that no node takes.

    >>> _room('persistentvolumeclaim "home" not found', POLICY)
    'see its claim (kubectl describe pvc), and spec.pipeline.job.volumeMounts'
    >>> _room("1 node(s) had untolerated taint(s)", POLICY)
    'see spec.pipeline.job.nodeSelector and tolerations'
    """
    if "persistentvolumeclaim" in said.lower():
        return f"see its claim (kubectl describe pvc), and {words.mounts}"
    if "Insufficient" not in said and ("affinity/selector" in said or "untolerated taint" in said):
        return f"see {words.placing}"
    return f"lower {words.size}, or add a node"


def stuck(pod: Object) -> bool:
    """Whether it waits for something that does not mend itself."""
    return str(_container(pod).get("state", {}).get("waiting", {}).get("reason", "")) in WAITING


def failure(pod: Object, words: Words = POLICY) -> str:
    """Why the pod ended badly; "" if it did not."""
    left = message(pod)
    if left is not None and left.failed:
        return left.failed
    ended, status = _terminated(pod), pod.get("status", {})
    if ended.get("reason") == "OOMKilled":
        return f"it ran out of memory (OOMKilled); raise {words.memory}, or shorten training.window"
    if status.get("reason") == "Evicted":
        said = one_line(status.get("message", ""))
        return f"its pod was evicted ({said}); ask for what it needs: {words.size}"
    disrupted = next(
        (c for c in status.get("conditions", []) if c["type"] == "DisruptionTarget" and c["status"] == "True"), None
    )  # fmt: skip
    if disrupted is not None:
        said = one_line(disrupted.get("message", ""))
        return f"its pod was pushed off its node ({disrupted.get('reason', '')}: {said})"
    if status.get("reason") == "DeadlineExceeded":
        return "the run's time was over; raise spec.pipeline.job.deadline"
    if ended.get("exitCode"):
        code = ended["exitCode"]
        how = "was killed, perhaps for memory" if code == OUT_OF_MEMORY else f"ended with status {code}"
        said = one_line(str(ended.get("message", ""))[-300:])
        return f"its container {how}{f' ({said})' if said else ''}; kubectl logs {pod['metadata']['name']}"
    if status.get("phase") == "Failed":
        said = one_line(status.get("message", ""))
        return f"its pod failed ({status.get('reason', '')}: {said}); kubectl describe pod {pod['metadata']['name']}"
    return ""


def over(pod: Object) -> bool:
    """Whether it has ended: another may be on its way."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def running(pod: Object) -> bool:
    return "running" in _container(pod).get("state", {})


def made_at(obj: Object) -> datetime:
    return datetime.fromisoformat(obj["metadata"]["creationTimestamp"]).astimezone(UTC)


def _container(pod: Object) -> dict[str, Any]:
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def _terminated(pod: Object) -> dict[str, Any]:
    return dict(_container(pod).get("state", {}).get("terminated") or {})

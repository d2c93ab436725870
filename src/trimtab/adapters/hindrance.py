"""What keeps pods from being made, or from starting, each with its remedy: pure.

A pod that an admission refuses (a quota, a Pod Security level, a limit range) is never there to be looked at: its
Deployment says so in the condition ReplicaFailure, its StatefulSet in events alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trimtab.ports.cluster import Object

IMAGE: Final = "see the image's name, that its registry answers the nodes, and imagePullSecrets"
LOG: Final = "see its log (kubectl logs --previous)"
NAMED: Final = "make the Secrets and ConfigMaps that it names"
FATAL_WAITS: Final[Mapping[str, str]] = {
    "CrashLoopBackOff": LOG,
    "ImagePullBackOff": IMAGE,
    "ErrImagePull": IMAGE,
    "ErrImageNeverPull": IMAGE,
    "InvalidImageName": IMAGE,
    "CreateContainerConfigError": NAMED,
    "CreateContainerError": "see its volumes, its command and its user",
}
"""Why a container waits that does not start by itself, and what to look at."""
SECURED: Final = (
    "give its containers the securityContext that the namespace enforces: runAsNonRoot: true, capabilities: "
    "{drop: [ALL]}, allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}"
)
REFUSALS: Final = (
    ("exceeded quota", "raise the namespace's ResourceQuota (kubectl describe resourcequota), or let it ask for less"),
    ("failed quota", "say the requests and limits that the namespace's ResourceQuota counts"),
    ('"storage-initializer"', f"{SECURED}; storage-initializer's stands in KServe's ClusterStorageContainer `default`"),
    ("violates PodSecurity", SECURED),
    ("usage per Container", "ask for what the namespace's LimitRange allows (kubectl describe limitrange)"),
    ("usage per Pod", "ask for what the namespace's LimitRange allows (kubectl describe limitrange)"),
    ("denied the request", "do as the admission webhook asks, or ask who keeps it to let its pods pass"),
    ("denied request", "do as the ValidatingAdmissionPolicy asks, or ask who keeps it to let its pods pass"),
    ("failed calling webhook", "see that what answers the admission webhook runs, or ask who keeps it"),
    ("service account", "make the service account that its pods name"),
)  # fmt: skip
"""What an admission that refuses a pod says, and what helps."""
MOST: Final = 300
"""Characters of what others say; of a log, its last ones."""


def of_pods(pods: Sequence[Object]) -> str:
    """What keeps the first of these pods that is kept; "" if none is."""
    for pod in pods:
        for one in containers(pod):
            waiting = (one.get("state") or {}).get("waiting") or {}
            if (remedy := FATAL_WAITS.get(waiting.get("reason", ""))) is not None:
                died = ((one.get("lastState") or {}).get("terminated") or {}).get("message", "")
                said = one_line(died[-MOST:]) or one_line(waiting.get("message", ""))
                told = f": {said}" if said else ""
                return f"{waiting['reason']} of container {one.get('name')}{told}; {remedy}"
        for one in (pod.get("status") or {}).get("conditions") or []:
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                said = one_line(one.get("message", ""))
                return f"{one.get('reason', 'Unschedulable')}: {said}; {_room(said)}"
    return ""


def of_mounts(events: Sequence[Object], pods: Sequence[Object]) -> str:
    """What was said last of a volume that one of these pods waits for; "" if nothing was.

    Args:
        events: those of reason FailedMount, oldest first.
    """
    names = {pod["metadata"]["name"] for pod in pods}
    said = [one.get("message", "") for one in events if one.get("involvedObject", {}).get("name") in names]
    return f"FailedMount: {one_line(said[-1])}; {NAMED}" if said else ""


def of_deployments(deployments: Sequence[Object]) -> str:
    """Why pods of one of these Deployments cannot even be made; "" if they can."""
    for deployment in deployments:
        for one in (deployment.get("status") or {}).get("conditions") or []:
            if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
                return refused(one.get("message", ""))
    return ""


def refused(said: str, remedies: Sequence[tuple[str, str]] = ()) -> str:
    """A sentence of what an admission said of a pod that it refused.

    Args:
        remedies: (words, what helps where an admission says them), of the one who made the pods; REFUSALS come after.

    >>> refused('pods "a" is forbidden: exceeded quota: small, requested: cpu=1').partition("; ")[0]
    'its pods cannot be made: pods "a" is forbidden: exceeded quota: small, requested: cpu=1'
    """
    remedy = next((what for words, what in (*remedies, *REFUSALS) if words in said), "see kubectl get events")
    return f"its pods cannot be made: {one_line(said)}; {remedy}"


def containers(pod: Object) -> Sequence[Mapping[str, Any]]:
    """What a pod's status says of its containers, those that initialise it first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def one_line(text: str) -> str:
    """What others say, as part of a sentence.

    >>> one_line(" a  b\\n c ")
    'a b c'
    """
    return " ".join(text.split())[:MOST]


def _room(said: str) -> str:
    """What helps a pod that no node takes."""
    if "PersistentVolumeClaim" in said:
        return "see its claim (kubectl describe pvc): a default StorageClass may be missing"
    return "make room on the nodes, or let it ask for less"

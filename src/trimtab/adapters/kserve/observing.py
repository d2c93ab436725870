"""What InferenceServices, Deployments and pods say of a revision's server: pure.

Pods and their Deployments are believed before KServe's conditions: these stand still while KServe's manager is down,
and its PredictorReady turns False while a Deployment is scaled up and every old pod answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from trimtab.adapters import hindrance
from trimtab.adapters.children import REVISION
from trimtab.adapters.kserve.inference_service import (
    MODEL_DIGEST,
    MODEL_NAME,
    MODEL_URI,
    VERSION,
    bounds,
    rendered,
)
from trimtab.adapters.kserve.template import COMPONENTS
from trimtab.ports.cluster import Object
from trimtab.ports.servers import Revision

COMPONENT: Final = "component"
"""Label that KServe puts on a component's Deployment and pods."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a revision's Service is.

    Attributes:
        service: its name, in the rollout's namespace.
        port: of HTTP.
    """

    service: str
    port: int = 80


@dataclass(frozen=True, slots=True)
class Seen:
    """A revision's server as its objects show it, before it is asked itself.

    Attributes:
        name: of the InferenceService.
        backend: None until KServe has said its address.
        model_name: what it serves.
        serves: the revision as it was created for.
        going: it is being deleted.
        replicas: how many are available: the most of a component where each has its least, else the fewest.
        least: minReplicas asked beyond the rendered ones; 0 where none are.
        minima: of each component, (minReplicas as rendered, as it is now).
        restarts: of its pods' containers.
        message: what hinders it, if anything does.
    """

    name: str
    revision: str
    backend: Backend | None
    model_name: str
    serves: Revision | None
    going: bool
    replicas: int
    least: int
    restarts: int
    message: str
    minima: tuple[tuple[int, int], ...] = ()


def seen(obj: Object, deployments: Sequence[Object], pods: Sequence[Object]) -> Seen:
    """One revision from its InferenceService and what carries its revision's label."""
    meta = obj["metadata"]
    notes = meta.get("annotations") or {}
    return Seen(
        name=meta["name"],
        revision=meta["labels"][REVISION],
        backend=backend_of(obj),
        model_name=notes.get(MODEL_NAME, meta["name"]),
        serves=_revision(meta["labels"][REVISION], notes),
        going="deletionTimestamp" in meta,
        replicas=_replicas(obj, deployments),
        least=_least(obj),
        restarts=sum(int(one.get("restartCount", 0)) for pod in pods for one in hindrance.containers(pod)),
        message=_message(obj, deployments, pods),
        minima=_minima(obj),
    )


def _revision(id_: str, notes: Mapping[str, str]) -> Revision | None:
    if MODEL_URI not in notes:
        return None
    return Revision(id_, notes.get(VERSION, ""), notes[MODEL_URI], notes.get(MODEL_DIGEST, ""))


def backend_of(obj: Object) -> Backend | None:
    """The Service that KServe names as the InferenceService's address: with a transformer that is its.

    >>> backend_of({"status": {"address": {"url": "http://flights-0123abcd-predictor.ml.svc.cluster.local"}}})
    Backend(service='flights-0123abcd-predictor', port=80)
    """
    url = ((obj.get("status") or {}).get("address") or {}).get("url")
    if not url:
        return None
    parts = urlsplit(url)
    return Backend((parts.hostname or "").split(".")[0], parts.port or 80) if parts.hostname else None


def _replicas(obj: Object, deployments: Sequence[Object]) -> int:
    spec = obj.get("spec") or {}
    available = {name: 0 for name in COMPONENTS if spec.get(name)}
    for deployment in deployments:
        component = (deployment["metadata"].get("labels") or {}).get(COMPONENT, "predictor")
        if component in available:
            available[component] += int((deployment.get("status") or {}).get("availableReplicas", 0))
    if not available:
        return 0
    each = all(count >= (bounds(spec[name])[0] or 1) for name, count in available.items())
    return max(available.values()) if each else min(available.values())


def _least(obj: Object) -> int:
    return max((now for low, now in _minima(obj) if now > low), default=0)


def _minima(obj: Object) -> tuple[tuple[int, int], ...]:
    spec = obj.get("spec") or {}
    return tuple((low or 0, bounds(spec.get(name) or {})[0] or 0) for name, (low, _) in rendered(obj).items())


def _message(obj: Object, deployments: Sequence[Object], pods: Sequence[Object]) -> str:
    """The first thing that hinders it: of a pod, of pods that cannot be made, of its model, of the InferenceService."""
    if found := hindrance.of_pods(pods) or hindrance.of_deployments(deployments):
        return found
    status = obj.get("status") or {}
    failure = (status.get("modelStatus") or {}).get("lastFailureInfo") or {}
    if failure.get("message"):
        return f"{failure.get('reason', 'ModelLoadFailed')}: {failure['message']}"
    for one in status.get("conditions") or []:
        if one.get("status") == "False" and one.get("message"):
            return f"{one['type']}: {one['message']}"
    return ""

"""The served name never changes: clients call it. What serves already says what it is."""

from trimtab.adapters.children import ROLLOUT, Fact, Place
from trimtab.adapters.kserve.inference_service import MODEL_NAME
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.ports.cluster import Cluster

TYPE = "ModelNameFixed"


def name_served(cluster: Cluster, place: Place, wished: str) -> tuple[str, Fact]:
    """The name to go on with, and ModelNameFixed.

    The API server refuses another name for a live rollout. One that was made anew beside servers that were retained,
    or by an API server that knew no such rule, may still wish for one: then the old one stays, for those who call it.
    """
    there = cluster.installed(INFERENCE_SERVICE)
    held = cluster.list(INFERENCE_SERVICE, place.namespace, {ROLLOUT: place.label}) if there else ()
    named = {str((one["metadata"].get("annotations") or {}).get(MODEL_NAME) or wished) for one in held}
    if not named or wished in named:
        return wished, Fact(TYPE, "True", "AsServed")
    stays = min(named)
    return stays, Fact(
        TYPE,
        "False",
        "Kept",
        f"servers of this rollout answer to '{stays}', and go on so; '{wished}' is for a rollout of another name, or "
        f"once `kubectl delete inferenceservices -l {ROLLOUT}={place.label}` has ended them",
    )

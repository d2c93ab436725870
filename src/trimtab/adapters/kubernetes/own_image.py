"""The image that this container runs: by its digest, where the API server tells it."""

import os
from collections.abc import Mapping
from typing import Any, Final

from trimtab.adapters.kubernetes.in_pod import OK, PodApi
from trimtab.api.errors import TrimtabError

IMAGE_VARIABLE: Final = "TRIMTAB_IMAGE"
"""Set by an image, or by who starts its container: the image's name."""
TASK_IMAGE_VARIABLE: Final = "TRIMTAB_TASK_IMAGE"
"""The image that an IR names for its task. Who runs the IR here runs no image: it counts in Kubeflow's pods alone."""
POD_VARIABLE: Final = "TRIMTAB_POD"
KFP_POD_VARIABLE: Final = "KFP_POD_NAME"
CONTAINERS: Final = {POD_VARIABLE: "run", KFP_POD_VARIABLE: "main"}
"""The container that works, by the variable that names its pod: of a policy's Job, of Kubeflow Pipelines."""


def own_image(api: PodApi | None = None) -> str:
    """NAME@DIGEST as the pod's status has it; else what the container was told of its image; "" for neither.

    Args:
        api: None for the pod's own. It is asked once, for a run must not fail for this.
    """
    variable = next((name for name in CONTAINERS if os.environ.get(name)), None)
    if variable is None:
        return os.environ.get(IMAGE_VARIABLE, "")
    told = os.environ.get(TASK_IMAGE_VARIABLE if variable == KFP_POD_VARIABLE else IMAGE_VARIABLE, "")
    try:
        api = api or PodApi(pauses_s=())
        path = f"/api/v1/namespaces/{api.namespace}/pods/{os.environ[variable]}"
        status, pod = api.call("GET", path)
    except (TrimtabError, OSError):
        return told
    return (image_of(pod, CONTAINERS[variable]) if status == OK else "") or told


def image_of(pod: Mapping[str, Any], container: str) -> str:
    """The image of a pod's container, by digest; an image that no registry named keeps its name beside its own id.

    >>> status = {"containerStatuses": [{"name": "run", "imageID": "shop/ml@sha256:0a"}]}
    >>> image_of({"spec": {"containers": [{"name": "run", "image": "shop/ml:1"}]}, "status": status}, "run")
    'shop/ml:1@sha256:0a'
    """
    named = next((one["image"] for one in pod["spec"]["containers"] if one["name"] == container), "")
    statuses = pod.get("status", {}).get("containerStatuses") or []
    known = next((one.get("imageID", "") for one in statuses if one["name"] == container), "")
    _, pinned, digest = known.rpartition("@")
    if not known or "@" in named:
        return named
    return f"{named}@{digest}" if pinned else f"{named} ({known})"

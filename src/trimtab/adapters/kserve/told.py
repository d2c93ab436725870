"""How a server is told the name that it serves.

KServe's runtimes start with `--model_name={{.Name}}`, the InferenceService's name, which differs with every revision.
Arguments and variables of the InferenceService come after the runtime's, and the last one wins.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from trimtab.adapters.kserve.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from trimtab.adapters.kserve.template import Template, TemplateRefused, mapping
from trimtab.adapters.kubernetes import parts
from trimtab.ports.cluster import Cluster, Object

MODEL_FORMAT: Final = "trimtab"
"""That of the chart's runtime."""
OWN_MODULE: Final = "trimtab.bootstrap.serving"
MLSERVER_VARIABLE: Final = "MLSERVER_MODEL_NAME"


class Told(Enum):
    """The ways; OWN is our own model server, which logs its events itself and checks its folder's digest."""

    OWN = "own"
    MODEL_NAME = "--model_name"
    SERVED_MODEL_NAME = "--served-model-name"
    MLSERVER = MLSERVER_VARIABLE


def told_by_container(container: Mapping[str, Any]) -> Told:
    """The way that a container's command, arguments, variables or image show; `--model_name` where nothing does."""
    words = json.dumps([container.get("command") or [], container.get("args") or []])
    variables = [one.get("name", "") for one in container.get("env") or [] if isinstance(one, Mapping)]
    image = str(container.get("image", ""))
    if OWN_MODULE in words:
        return Told.OWN
    if any(name.startswith("MLSERVER_") for name in variables) or "mlserver" in image:
        return Told.MLSERVER
    if "--served-model-name" in words or "--served_model_name" in words or "vllm" in image:
        return Told.SERVED_MODEL_NAME
    return Told.MODEL_NAME


def told_by_runtime(runtime: Object) -> Told:
    """The way that a ServingRuntime's container shows."""
    held = runtime.get("spec", {}).get("containers") or [{}]
    main = next((one for one in held if one.get("name") == "kserve-container"), held[0])
    return told_by_container(main)


def told(cluster: Cluster, namespace: str, template: Template) -> Told:
    """The way of a template's predictor.

    Raises:
        TemplateRefused: no runtime takes its model format, or several that are told in different ways.
    """
    predictor = template["predictor"]
    if "model" not in predictor:
        listed: Sequence[Mapping[str, Any]] = predictor["containers"]
        return told_by_container(
            next((one for one in listed if one.get("name") == "kserve-container"), listed[0])
        )
    model = mapping(predictor, "model")
    if name := model.get("runtime"):
        runtime = cluster.get(SERVING_RUNTIME, namespace, name) or cluster.get(
            CLUSTER_SERVING_RUNTIME, "", name
        )
        if runtime is None:
            raise TemplateRefused(
                f"predictor.model.runtime '{name}' is neither a ServingRuntime of namespace '{namespace}' "
                "nor a ClusterServingRuntime",
                reason="RuntimeNotFound",
                remedy="see `kubectl get servingruntimes,clusterservingruntimes`",
            )
        return told_by_runtime(runtime)
    wanted = mapping(model, "modelFormat").get("name", "")
    fitting = [
        runtime
        for kind, where in ((SERVING_RUNTIME, namespace), (CLUSTER_SERVING_RUNTIME, ""))
        for runtime in cluster.list(kind, where)
        if takes(runtime, wanted, model.get("protocolVersion"))
    ]
    if not fitting:
        spoken = f" and protocol '{protocol}'" if (protocol := model.get("protocolVersion")) else ""
        own = f"{parts.RUNTIME}; or " if wanted == MODEL_FORMAT else ""
        raise TemplateRefused(
            f"no runtime of namespace '{namespace}' or of the cluster serves model format '{wanted}'{spoken}",
            reason="RuntimeNotFound",
            remedy=f"{own}name one in predictor.model.runtime",
        )
    ways = {told_by_runtime(runtime) for runtime in fitting}
    if len(ways) != 1:
        known = ", ".join(sorted(runtime["metadata"]["name"] for runtime in fitting))
        raise TemplateRefused(
            f"which runtime serves model format '{wanted}' is open ({known})",
            reason="RuntimeUnclear",
            remedy="name one in predictor.model.runtime",
        )
    return ways.pop()


def takes(runtime: Object, model_format: str, protocol: str | None) -> bool:
    """Whether KServe may choose a runtime by itself for a model format (and protocol)."""
    spec = runtime.get("spec", {})
    if spec.get("disabled") or (protocol and protocol not in (spec.get("protocolVersions") or [])):
        return False
    return any(
        one.get("name") == model_format and one.get("autoSelect")
        for one in spec.get("supportedModelFormats") or []
    )

"""A revision's InferenceService, from the template: pure.

Nothing of it changes on a live one but minReplicas and maxReplicas: KServe copies labels and annotations to the pods,
so that writing one would replace them all; a logger moves the Service to the agent's port before pods have an agent.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from trimtab.adapters.children import REVISION, Json, Place
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kserve.names import collector_url, service_name
from trimtab.adapters.kserve.storage import judge_uri
from trimtab.adapters.kserve.template import (
    COMPONENTS,
    Serving,
    Template,
    has_transformer,
    judge_template,
    mapping,
)
from trimtab.adapters.kserve.told import MLSERVER_VARIABLE, Told, told_by_container
from trimtab.ports.servers import Revision

MAIN_CONTAINER: Final = "kserve-container"
SHORTEST_SLEEP_S: Final = 15.0
VERSION: Final = "trimtab.dev/version"
MODEL_URI: Final = "trimtab.dev/model-uri"
MODEL_DIGEST: Final = "trimtab.dev/model-digest"
MODEL_NAME: Final = "trimtab.dev/model-name"
RENDERED: Final = "trimtab.dev/rendered-replicas"
LOGGED_HEADERS: Final = ("X-Request-Id", "X-Trimtab-Warmup")


def inference_service(place: Place, serving: Serving, revision: Revision, told: Told) -> Json:
    """What is created for a revision.

    Args:
        told: how the predictor's server is told the served name.

    Raises:
        TemplateRefused: nothing could serve this template.
        NotServable: pods cannot fetch the model.
        InputRefused: the namespace's name leaves no room.
    """
    judge_template(serving.template)
    judge_uri(revision.uri)
    template = serving.template
    entry = "transformer" if has_transformer(template) else "predictor"
    spec: Json = {}
    for component in COMPONENTS:
        if component in template:
            way = told if component == "predictor" else told_by_container(_main(template[component]))
            spec[component] = _component(
                place, serving, revision, component, way, logged=component == entry and told is not Told.OWN
            )
    own = mapping(template, "metadata")
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {
            "name": service_name(place, revision.id, transformer=has_transformer(template)),
            "namespace": place.namespace,
            "labels": {
                **mapping(own, "labels"),
                **place.labels,
                REVISION: revision.id,
                "networking.kserve.io/visibility": "cluster-local",
            },
            "annotations": {
                **mapping(own, "annotations"),
                "serving.kserve.io/deploymentMode": "Standard",
                VERSION: revision.version,
                MODEL_URI: revision.uri,
                MODEL_DIGEST: revision.digest,
                MODEL_NAME: serving.model_name,
                RENDERED: json.dumps({name: bounds(one) for name, one in spec.items()}, sort_keys=True),
            },
            "ownerReferences": place.owners,
        },
        "spec": spec,
    }


def bounds(component: Mapping[str, Any]) -> list[int | None]:
    """[minReplicas, maxReplicas] of a component; KServe takes 1 for no minimum."""
    return [component.get("minReplicas", 1), component.get("maxReplicas")]


def scaled(obj: Mapping[str, Any], least: int) -> Json:
    """The InferenceService with at least so many replicas of each component; 0: as it was rendered.

    >>> scaled({"spec": {"predictor": {"minReplicas": 1, "maxReplicas": 2}}}, 4)["spec"]["predictor"]
    {'minReplicas': 4, 'maxReplicas': 4}
    """
    first = rendered(obj)
    spec = {}
    for name, component in obj["spec"].items():
        if name not in COMPONENTS:
            spec[name] = component
            continue
        low, high = first.get(name, bounds(component))
        wanted = max(low or 0, least)
        fresh = {**component, "minReplicas": wanted}
        if high is not None:
            fresh["maxReplicas"] = max(high, wanted)
        spec[name] = fresh
    return {**obj, "spec": spec}


def rendered(obj: Mapping[str, Any]) -> dict[str, list[int | None]]:
    """The replicas that the template asked for, by component; {} where it is not told."""
    try:
        held = json.loads(obj["metadata"]["annotations"][RENDERED])
        return {str(name): [low, high] for name, (low, high) in held.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _component(
    place: Place, serving: Serving, revision: Revision, name: str, told: Told, *, logged: bool
) -> Json:
    component = dict(serving.template[name])
    sleep_s = math.ceil(max(SHORTEST_SLEEP_S, serving.settle_s))
    component["terminationGracePeriodSeconds"] = max(
        int(component.get("terminationGracePeriodSeconds", 0)), sleep_s + math.ceil(serving.drain_s)
    )
    component["minReplicas"] = bounds(component)[0]
    # A stream's answers are too large to log, and its server is asked by another protocol.
    if logged and told is not Told.SERVED_MODEL_NAME and "logger" not in component:
        component["logger"] = {
            "mode": "all",
            "url": collector_url(place.namespace),
            "metadataHeaders": list(LOGGED_HEADERS),
        }
    if "model" in component:
        model = _drained(_named(component["model"], place, serving, revision, told), sleep_s)
        component["model"] = {**model, "storageUri": revision.uri}
        return component
    main = _main(component)
    made = []
    for container in component["containers"]:
        fresh = _drained(dict(container), sleep_s)
        if container is main:
            fresh = _named(fresh, place, serving, revision, told)
            if name == "predictor":
                fresh["name"] = MAIN_CONTAINER
                fresh["env"] = _with_variable(fresh, "STORAGE_URI", revision.uri)
        made.append(fresh)
    component["containers"] = made
    return component


def _main(component: Mapping[str, Any]) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = component["containers"]
    return next((one for one in found if one.get("name") == MAIN_CONTAINER), found[0])


def _named(
    container: Mapping[str, Any], place: Place, serving: Serving, revision: Revision, told: Told
) -> Json:
    """The container, told the served name; our own server also what it logs, where to, and what it must find."""
    name = serving.model_name
    if told is Told.MLSERVER:
        return {**container, "env": _with_variable(container, MLSERVER_VARIABLE, name)}
    if told is Told.SERVED_MODEL_NAME:
        more = [f"--served-model-name={name}"]
    else:
        more = [f"--model_name={name}"]
    if told is Told.OWN:
        more += [f"--revision={revision.id}", f"--namespace={place.namespace}"]
        more += [f"--sink={collector_url(place.namespace)}"]
        more += [f"--digest={revision.digest}"] if of_folder(revision) else []
    return {**container, "args": [*(container.get("args") or []), *more]}


def of_folder(revision: Revision) -> bool:
    """Whether its digest is of the model folder, not the one of its address that stands in where none was given."""
    return revision.digest not in ("", hashlib.sha256(revision.uri.encode()).hexdigest())


def _with_variable(container: Mapping[str, Any], name: str, value: str) -> list[Json]:
    others = [dict(one) for one in container.get("env") or [] if one.get("name") != name]
    return [*others, {"name": name, "value": value}]


def _drained(container: Mapping[str, Any], sleep_s: int) -> Json:
    """The container, which goes on answering for a while after its pod left the Service; a hook of the user's stays."""
    lifecycle = dict(container.get("lifecycle") or {})
    lifecycle.setdefault("preStop", {"sleep": {"seconds": sleep_s}})
    return {**container, "lifecycle": lifecycle}


def template_of(obj: Mapping[str, Any]) -> Template:
    """The template that an existing InferenceService shows, without what is a revision's own."""
    found: Json = {name: dict(obj["spec"][name]) for name in COMPONENTS if obj["spec"].get(name)}
    predictor = found.get("predictor", {})
    if isinstance(predictor.get("model"), Mapping):
        predictor["model"] = {
            k: v for k, v in predictor["model"].items() if k not in ("storageUri", "storage")
        }
    return found

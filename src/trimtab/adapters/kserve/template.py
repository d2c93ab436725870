"""`serving.template`: an InferenceService's predictor and optional transformer, as the user wrote them.

What stands in the template makes the revision; what we add to it (served name, storage, drain, logging) does not, so
that another version of the operator makes no other revision.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trimtab.api.errors import InputRefused

Template = Mapping[str, Any]

COMPONENTS: Final = ("predictor", "transformer")
KNOWN: Final = (*COMPONENTS, "metadata")
METADATA: Final = ("labels", "annotations")


class TemplateRefused(InputRefused):
    """A template that no InferenceService can be made of; `reason` is a word for a condition."""

    def __init__(self, message: str, *, reason: str = "Invalid", remedy: str | None = None) -> None:
        super().__init__(f"serving.template: {message}", remedy=remedy)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Serving:
    """How revisions are served.

    Attributes:
        model_name: the served name, the same for every revision.
        drain_s: how long a server may take to answer what it has taken, after it is told to stop.
        settle_s: how long a gateway may take to do as it accepted.
    """

    model_name: str
    template: Template
    drain_s: float = 30.0
    settle_s: float = 10.0


def template_text(template: Template) -> str:
    """The template as one text, whatever the order of its keys.

    >>> template_text({"b": 1, "a": {"d": None, "c": "x"}})
    '{"a":{"c":"x","d":null},"b":1}'
    """
    return json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def judge_template(template: Template) -> None:
    """Raises TemplateRefused for what the API server would let pass and nothing could serve."""
    if unknown := sorted(set(template) - set(KNOWN)):
        what = unknown[0]
        raise TemplateRefused(
            f"'{what}' cannot stand there; known are {', '.join(KNOWN)}",
            reason="Explainer" if what == "explainer" else "UnknownField",
            remedy="route an explainer by an HTTPRoute of your own" if what == "explainer" else None,
        )
    if unknown := sorted(set(mapping(template, "metadata")) - set(METADATA)):
        raise TemplateRefused(
            f"metadata.{unknown[0]} cannot be set; known are {', '.join(METADATA)}", reason="UnknownField"
        )
    if not mapping(template, "predictor"):
        raise TemplateRefused("predictor is missing", remedy="write predictor.model or predictor.containers")
    predictor = template["predictor"]
    if ("model" in predictor) == ("containers" in predictor):
        raise TemplateRefused(
            "predictor needs either model or containers",
            remedy="write predictor.model.modelFormat instead of the older predictor.sklearn and its like",
        )
    if "model" in predictor and (mapping(predictor, "model").keys() & {"storageUri", "storage"}):
        raise TemplateRefused(
            "predictor.model.storageUri is each revision's own, and comes from the registry",
            reason="StorageUri",
            remedy="leave storageUri and storage out",
        )
    for component in COMPONENTS:
        if component in template and "containers" in template[component]:
            containers(template[component], f"{component}.containers")
    if "transformer" in template and "containers" not in mapping(template, "transformer"):
        raise TemplateRefused("transformer needs containers")


def mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """`parent[key]`, {} where it is missing. Raises TemplateRefused where it is no mapping."""
    found = parent.get(key, {})
    if not isinstance(found, Mapping):
        raise TemplateRefused(f"'{key}' is no mapping")
    return found


def containers(component: Mapping[str, Any], path: str) -> Sequence[Mapping[str, Any]]:
    """The containers of a component. Raises TemplateRefused where they are no list of mappings."""
    found = component["containers"]
    listed = isinstance(found, Sequence) and not isinstance(found, str)
    if not listed or not found or not all(isinstance(one, Mapping) for one in found):
        raise TemplateRefused(f"{path} is no list of containers")
    return list(found)


def has_transformer(template: Template) -> bool:
    return "transformer" in template

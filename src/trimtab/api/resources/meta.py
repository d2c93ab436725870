"""What every custom resource has: metadata, conditions, and the two ways in which it is read."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints

from trimtab.api.errors import InputRefused
from trimtab.api.resources.act import ACT, Act, ActRefused
from trimtab.api.values import Spec, Stored

GROUP: Final = "trimtab.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "trimtab.dev/v1alpha1"
EPOCH: Final = "trimtab.dev/epoch"
"""Annotation that a new leader writes before it acts, so that a late write of the old one is refused."""

Json = dict[str, Any]
"""Part of an object that trimtab passes on as it is; the API server keeps every field of it."""

ResourceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63, strict=True),
]
"""A name that also a Service may have: lower-case letters, digits and dashes, a letter first."""


class Metadata(Stored):
    """The part of an object's metadata that trimtab reads."""

    name: ResourceName
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None


class Condition(Stored):
    """One observation about a resource, in the form of every Kubernetes condition.

    Attributes:
        type: what is observed, such as Ready.
        status: whether it holds.
        reason: one CamelCase word for programs.
        message: a sentence for a person, with the remedy where there is one.
        last_transition_time: when `status` last changed.
        observed_generation: of the spec that was looked at.
    """

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: AwareDatetime
    observed_generation: int = 0


class ObservedStatus(Stored):
    """What the status of every resource holds beside what its controller stores.

    Attributes:
        observed_generation: generation of the spec that this status is about.
        conditions: one a type.
    """

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if it has been observed."""
        return next((one for one in self.conditions if one.type == kind), None)


class Resource(Stored):
    """A custom resource. Specs refuse unknown keys in files and ignore them from an API server."""

    PLURAL: ClassVar[str]
    SHORT: ClassVar[str]
    SPEC: ClassVar[type[Spec]]
    STATUS: ClassVar[type[ObservedStatus]]
    """What `status` holds. It is read apart from the spec, so that a status that is garbage hides no wish."""

    api_version: Literal["trimtab.dev/v1alpha1"] = API_VERSION
    metadata: Metadata

    @classmethod
    def from_wire(cls, obj: Mapping[str, Any]) -> Self:
        """An object as the API server sends it; what a newer schema has more is ignored.

        Raises:
            pydantic.ValidationError: the object does not fit this version's schema.
        """
        return cls.model_validate_json(json.dumps(obj), strict=True, extra="ignore")

    @classmethod
    def from_file(cls, obj: Mapping[str, Any]) -> Self:
        """A manifest that a person wrote, under the very rules of the API server; unknown keys of the spec refused.

        Raises:
            pydantic.ValidationError: with every field that is wrong.
            InputRefused: it holds what JSON cannot.
        """
        try:
            text = json.dumps(obj)
        except (TypeError, ValueError) as error:
            raise InputRefused(f"a manifest holds what JSON cannot: {error}", remedy="quote it") from None
        return cls.model_validate_json(text, strict=True)

    @property
    def act(self) -> Act | None:
        """The newest order of a person; None if there is none, or if it is not well formed."""
        try:
            return Act.parse(self.metadata.annotations[ACT]) if ACT in self.metadata.annotations else None
        except ActRefused:
            return None

    @property
    def act_problem(self) -> str:
        """Why the order that is written cannot be read; "" if it can, or if there is none."""
        try:
            if ACT in self.metadata.annotations:
                Act.parse(self.metadata.annotations[ACT])
        except ActRefused as refused:
            return str(refused)
        return ""

"""What a person orders of a rollout: one annotation, never removed, obeyed once by its id."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from trimtab.api.errors import InputRefused
from trimtab.api.values import Name, Spec

ACT: Final = "trimtab.dev/act"
"""The annotation; its value is an `Act` as JSON."""

ACT_BYTES: Final = 1024
"""An act's text is no longer."""


class Verb(StrEnum):
    """What can be ordered."""

    APPROVE = "approve"
    ABORT = "abort"
    UNDO = "undo"
    RETRY = "retry"
    PROMOTE = "promote"


class ActRefused(InputRefused):
    """The annotation holds no order that can be obeyed."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"annotation {ACT}: {because}",
            remedy="let `kubectl trimtab` write it, or write "
            '{"id": "<new>", "verb": "approve", "revision": "<8 hex>", "step": "<name>", "by": "<your user name>"}',
        )


class Act(Spec):
    """One order.

    Attributes:
        id: new for each order; one that was obeyed is never obeyed again.
        verb: what to do.
        revision: the one that it is about: in flight (approve, abort, promote), stable (undo), rejected (retry).
        step: the step that is approved.
        by: who orders; the API server lets nobody write another's name.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=63)]
    verb: Verb
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    step: Name | None = None
    by: Annotated[str, Field(min_length=1, max_length=253)]

    @model_validator(mode="after")
    def _step_of_approval(self) -> Self:
        if (self.verb is Verb.APPROVE) != (self.step is not None):
            raise ValueError("approve names the step; no other verb does")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """The annotation's value.

        Raises:
            ActRefused: it is not well formed.

        >>> Act.parse('{"id": "1", "verb": "abort", "revision": "0a1b2c3d", "by": "ann"}').verb
        <Verb.ABORT: 'abort'>
        """
        if len(text.encode()) > ACT_BYTES:
            raise ActRefused(f"longer than {ACT_BYTES} bytes")
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            because = first["msg"].removeprefix("Value error, ")
            raise ActRefused(f"{where}: {because}" if where else because) from None

    def text(self) -> str:
        """The annotation's value for this order."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

"""What is so of a resource, and why: a value that any platform may show."""

from dataclasses import dataclass
from typing import Literal

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is so, or not, or not known.

    Attributes:
        type: CamelCase, such as Progressing.
        reason: one CamelCase word for machines.
        message: one sentence for a person.
    """

    type: str
    status: Truth
    reason: str
    message: str = ""


def condition(type: str, holds: bool | None, reason: str, message: str = "") -> Condition:
    """
    >>> condition("Ready", None, "NotLooked").status
    'Unknown'
    """
    return Condition(type, "Unknown" if holds is None else "True" if holds else "False", reason, message)

"""One condition, without the times that only its writer knows."""

from dataclasses import dataclass
from typing import Literal

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is so, or not, or not known.

    Attributes:
        type: CamelCase, such as RouteAccepted.
        reason: one CamelCase word for programs.
        message: one sentence for a person, with the remedy where there is one.
    """

    type: str
    status: Truth
    reason: str
    message: str = ""


def refused(message: str, reason: str) -> tuple[Condition, ...]:
    """The resource cannot be looked after as it is: a person is needed. Said of every kind."""
    return (Condition("Ready", "False", reason, message),)


def unattended(message: str, reason: str, *, serves: bool) -> tuple[Condition, ...]:
    """A rollout cannot be looked after as it is. What serves goes on serving: that is no less ready."""
    stalled = Condition("Stalled", "True", reason, message)
    return (stalled,) if serves else (stalled, *refused(message, reason))

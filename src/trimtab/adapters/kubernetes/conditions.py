"""Conditions of a resource as they are written: metav1.Condition, with times and generations."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

LONGEST: Final = 1024
"""Characters of a message: a stack of causes is cut, its beginning says most."""


class Said(Protocol):
    """One thing that is so, or not, or not known: a Condition of control's, a Fact of an adapter's."""

    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def message(self) -> str: ...


def merged(
    held: Sequence[Mapping[str, Any]], seen: Iterable[Said], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The list to write: transition times stand while a status stands; types that nobody looked at stay.

    Args:
        held: as the resource has them.
        seen: as they are now.
        generation: of the spec that was looked at.
    """
    by_type = {str(one["type"]): dict(one) for one in held}
    for condition in seen:
        before = by_type.get(condition.type, {})
        since = before.get("lastTransitionTime") if before.get("status") == condition.status else None
        by_type[condition.type] = {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": shortened(condition.message),
            "observedGeneration": generation,
            "lastTransitionTime": since or now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    return list(by_type.values())


def shortened(text: str, longest: int = LONGEST) -> str:
    """
    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"

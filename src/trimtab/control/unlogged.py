"""Failures that nobody logged: a server that dies, or drops a connection, takes its own log with it.

The gateway counts what it sent and did not get back as 2xx. Of these, the ones beyond the collector's errors are
what a payload log cannot know. The gateway's count is compared as of the look before, so that events have had
time to come.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trimtab.ports.gateway import Sent


@dataclass(frozen=True, slots=True)
class Unlogged:
    """One revision's failures at the gateway since a step began.

    Attributes:
        epoch, last: the gateway's own count at the last look, and which count that is.
        failed: since the step began, across restarts of the gateway.
        told: of these, handed out as unlogged already.
    """

    epoch: str = ""
    last: int = 0
    failed: int = 0
    told: int = 0

    @classmethod
    def held(cls, evidence: Mapping[str, Any], arm: str) -> "Unlogged | None":
        """As a check's evidence holds it; None at the first look of a step."""
        kept = evidence.get("gateway", {}).get(arm)
        return None if kept is None else cls(**kept)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def follow(held: Unlogged | None, sent: Sent | None, logged_errors: int) -> tuple[Unlogged, int]:
    """The count carried on, and how many failures have turned out to be unlogged since the look before.

    Args:
        logged_errors: errors that the collector holds of this revision since the step began.
    """
    count, epoch = (sent.failed + sent.mirrored_failed, sent.epoch) if sent is not None else (0, "")
    if held is None:
        return Unlogged(epoch, count), 0
    new = max(0, held.failed - logged_errors - held.told)
    grown = count - held.last if epoch == held.epoch else count
    return Unlogged(epoch, count, held.failed + max(0, grown), held.told + new), new

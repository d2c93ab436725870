"""What a person may order of a rollout as it stands; the same on a laptop and on a cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from trimtab.api.errors import InputRefused
from trimtab.api.rollout_status import Phase, RevisionRef, RolloutStatus


@dataclass(frozen=True, slots=True)
class Order:
    """One verb about one revision; `step` is the step that is approved, else "".

    The running controller obeys it once, and only if it still fits.
    """

    verb: str
    revision: str
    step: str = ""

    def __str__(self) -> str:
        return f"{self.verb} of {self.revision}{f' at {self.step}' if self.step else ''}"


def abort(found: RolloutStatus) -> Order:
    """Take all traffic off the candidate, now, and keep it out."""
    return Order("abort", _in_flight(found, "abort").revision)


def approve(found: RolloutStatus) -> Order:
    """Let the candidate go past the approval at which it stands."""
    candidate = _in_flight(found, "approve")
    if found.step is None or found.phase is not Phase.AWAITING_APPROVAL:
        raise InputRefused(
            f"nothing waits for approval: the rollout is in phase {found.phase.value}",
            remedy="see `rollout status`",
        )
    return Order("approve", candidate.revision, found.step.name)


def promote(found: RolloutStatus) -> Order:
    """Make the candidate stable without the rest of its steps; what is broken or fails is still rolled back."""
    return Order("promote", _in_flight(found, "promote").revision)


def undo(found: RolloutStatus) -> Order:
    """Give all traffic back to the revision before the stable one, and keep the undone one out."""
    if found.stable is None or found.previous is None:
        raise InputRefused(
            "there is no previous revision to go back to",
            remedy="`keepPrevious` says how long one is kept; register the old version anew",
        )
    return Order("undo", found.stable.revision)


def retry(found: RolloutStatus, revision: str = "") -> Order:
    """Let a rejected revision in again, if it is still the newest candidate; its old evidence is discarded."""
    known = [entry.revision for entry in found.rejected]
    if not known or (revision and revision not in known):
        raise InputRefused(
            f"revision '{revision}' was not rejected" if revision else "no revision was rejected",
            remedy=f"rejected are: {', '.join(known)}" if known else None,
        )
    return Order("retry", revision or known[-1])


ORDERS: Final[Mapping[str, Callable[[RolloutStatus], Order]]] = {
    "abort": abort,
    "approve": approve,
    "promote": promote,
    "undo": undo,
    "retry": retry,
}


def _in_flight(found: RolloutStatus, verb: str) -> RevisionRef:
    if found.candidate is None:
        raise InputRefused(f"there is no candidate to {verb}", remedy="see `rollout status`")
    return found.candidate

"""A decision: at most one claim, with the acts that stand before and after it.

The order is the safety: what must outlive the status (`before`) is written first, then the status (`claim`), then
the acts that it guards (`after`). Each act may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.api.rollout_status import KEPT, Move, RevisionRef, RolloutStatus
from trimtab.rollout.world import Routed


@dataclass(frozen=True, slots=True)
class EnsureServer:
    """Ask for a server."""

    ref: RevisionRef


@dataclass(frozen=True, slots=True)
class RetireServer:
    """Drain and stop a server that no route names."""

    revision: str


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Send requests past the gateway; the number answered is added to `status.warmed`."""

    revision: str
    requests: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Keep at least so many replicas; 0 for as rendered."""

    revision: str
    least: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out whether the gateway can copy requests."""

    stable: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Route:
    """Make this the host's traffic."""

    routed: Routed


@dataclass(frozen=True, slots=True)
class Reject:
    """Bar a revision in the registry. `attempt`: the retry during which it was refused."""

    ref: RevisionRef
    because: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Lift:
    """Let a barred revision in again, by this order."""

    ref: RevisionRef
    order: str


@dataclass(frozen=True, slots=True)
class NameStable:
    """Say in the registry which version is stable."""

    ref: RevisionRef


Act = EnsureServer | RetireServer | WarmUp | Scale | Probe | Route | Reject | Lift | NameStable


@dataclass(frozen=True, slots=True)
class Happened:
    """What a person should read of it."""

    kind: str
    revision: str
    because: str
    bounds: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The next move.

    Attributes:
        because: one sentence.
        waits: nothing more can be done now; look again when the world has changed or time has passed.
    """

    because: str
    before: tuple[Act, ...] = ()
    claim: RolloutStatus | None = None
    after: tuple[Act, ...] = ()
    happened: tuple[Happened, ...] = ()
    waits: bool = False

    @classmethod
    def rest(cls, because: str, claim: RolloutStatus | None = None, *after: Act) -> "Decision":
        """Nothing more to do for now, but perhaps an act that takes its time."""
        return cls(because, claim=claim, after=after, waits=True)


def noted(status: RolloutStatus, move: Move) -> tuple[Move, ...]:
    """History with one more line."""
    return (*status.history, move)[-KEPT:]


def left(status: RolloutStatus, ref: RevisionRef) -> tuple[RevisionRef, ...]:
    """Revisions whose servers go, with one more."""
    return (*(one for one in status.leaving if one.revision != ref.revision), ref)[-KEPT:]


def obeyed(status: RolloutStatus, order: str) -> tuple[str, ...]:
    """Orders obeyed, with one more."""
    return (*status.acts, order)[-KEPT:]

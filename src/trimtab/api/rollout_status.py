"""What a rollout remembers: where it stands, and the evidence that it has paid for."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from trimtab.api.values import Real, Stored

KEPT = 20
"""Entries kept of each list that grows."""


class Phase(StrEnum):
    """What the rollout is doing."""

    IDLE = "Idle"
    STARTING = "Starting"
    SHADOW = "Shadow"
    CANARY = "Canary"
    PREVIEW = "Preview"
    AUDIENCE = "Audience"
    AWAITING_APPROVAL = "AwaitingApproval"
    PROMOTING = "Promoting"
    ROLLING_BACK = "RollingBack"


class RevisionRef(Stored):
    """One immutable thing that can serve: see trimtab.rollout.revision for its id.

    Attributes:
        revision: 8 hex.
        version: the registry's version, as text.
        digest: sha256 of the model folder's manifest, hex.
    """

    revision: str
    version: str
    uri: str
    digest: str


class StepStatus(Stored):
    """The step under way.

    Attributes:
        trail: hash of each step up to this one, as it was when passed or entered.
        started_at: on the loop's clock.
        elapsed_s: grows only while evidence comes and the route is as wished.
        seen_s: monotonic seconds at the last look; None until its traffic has flowed, which is when it starts.
        sized: the candidate was scaled in to what this step needs.
    """

    name: str
    index: int
    trail: tuple[str, ...]
    started_at: AwareDatetime
    elapsed_s: Real = 0.0
    seen_s: Real | None = None
    sized: bool = False


class CheckStatus(Stored):
    """One check's verdict with what it rests on.

    Attributes:
        step: where it was last asked.
        lower, upper: the tightest bounds so far; None where infinite.
        units: independent units of evidence (blocks or requests); `rows` the predictions in them.
        evidence: sums that the verdict was computed from, in the check's own form.
    """

    name: str
    step: str
    verdict: str
    estimate: Real | None = None
    lower: Real | None = None
    upper: Real | None = None
    margin: Real | None = None
    units: int = 0
    rows: int = 0
    reason: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict)


class Rollback(Stored):
    """Why the candidate in flight leaves; `reject` is false when a newer one takes its place."""

    because: str
    reject: bool = True


class Rejected(Stored):
    """A revision that stays out."""

    revision: str
    version: str
    because: str
    at: AwareDatetime


class Move(Stored):
    """One line of history."""

    at: AwareDatetime
    kind: str
    revision: str
    because: str


class Keeping(Stored):
    """How long something has been kept, or waited for."""

    elapsed_s: Real = 0.0
    seen_s: Real | None = None


class Replicas(Stored):
    """How many replicas are wished; all 0 where there is one and no other number.

    Attributes:
        stable: those that it had when the candidate began, which it keeps until nothing can be undone.
        candidate: those that its share of the traffic needs.
        warmed: those of the candidate that have been warmed up.
    """

    stable: int = 0
    candidate: int = 0
    warmed: int = 0


class RolloutStatus(Stored):
    """The status of one rollout.

    Attributes:
        entered: candidates that entered their first step since the last promotion: the j-th has alpha/2^(j-1).
        attempt: retries of the candidate in flight; a retry discards old evidence.
        warmed: warm-up requests that the candidate has answered.
        restarts: restarts of the candidate's server when it entered its step.
        stable_restarts: of stable's server then.
        traffic: percent by revision, as last observed on the route.
        mirror: revision that gets copies.
        audience: which callers the candidate answers, whatever the percent; "" for none.
        preview: host that the candidate answers alone; "" for none.
        leaving: revisions whose servers go once the route no longer names them.
        acts: ids of orders obeyed.
        stalled: why a person is needed; "" if none is.
    """

    phase: Phase = Phase.IDLE
    stable: RevisionRef | None = None
    candidate: RevisionRef | None = None
    previous: RevisionRef | None = None
    attempt: int = 0
    entered: int = 0
    step: StepStatus | None = None
    warming: Keeping = Keeping()
    keeping: Keeping = Keeping()
    warmed: int = 0
    restarts: int = 0
    stable_restarts: int = 0
    capacity: Replicas = Replicas()
    traffic: dict[str, int] = Field(default_factory=dict)
    mirror: str | None = None
    audience: str = ""
    preview: str = ""
    checks: tuple[CheckStatus, ...] = ()
    rollback: Rollback | None = None
    leaving: Annotated[tuple[RevisionRef, ...], Field(max_length=50)] = ()
    rejected: tuple[Rejected, ...] = ()
    acts: tuple[str, ...] = ()
    history: tuple[Move, ...] = ()
    stalled: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether a candidate is on its way: the rollout is undecided."""
        return self.candidate is not None

"""RetrainPolicy: when does a pipeline run, and when must it not?

The `retrain:` of trimtab.yaml is a `Retrain`. An episode gives one run per arming (verdicts.md 5).
"""

from collections.abc import Mapping, Set
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from trimtab.api.cron import Cron
from trimtab.api.values import Duration, Fraction, Name, Spec, Stored

KEPT = 20
"""Attempts kept; a guard cannot look back at more."""


class OnPerformance(Spec):
    """A run when the monitor holds performance to have dropped."""


class OnDrift(Spec):
    """A run when inputs drift; without this trigger drift only annotates."""

    act_on: Literal["trip"] = "trip"


class OnSchedule(Spec):
    """A run at each time of a five-field cron line (minute hour day month weekday), in a time zone."""

    cron: Annotated[str, Field(max_length=100)]
    time_zone: Annotated[str, Field(max_length=64)] = "Etc/UTC"

    @model_validator(mode="after")
    def _parses(self) -> Self:
        Cron.parse(self.cron)
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"'{self.time_zone}' is no IANA time zone; write one such as Europe/Berlin"
            ) from None
        return self


class OnNewData(Spec):
    """A run once so many labelled rows have come since the newest run's data end."""

    min_rows: Annotated[int, Field(ge=1)]


class OnEvent(Spec):
    """A run when somebody posts a CloudEvent of a type; needs a platform that takes events.

    Attributes:
        type: the event's type, compared letter by letter.
    """

    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=253)]


class Trigger(Spec):
    """One reason to retrain; exactly one kind."""

    name: Name
    performance: OnPerformance | None = None
    drift: OnDrift | None = None
    schedule: OnSchedule | None = None
    new_data: OnNewData | None = None
    event: OnEvent | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.performance, self.drift, self.schedule, self.new_data, self.event)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(
                f"trigger '{self.name}' needs exactly one of performance, drift, schedule, newData, event"
            )
        return self


class Rearm(Spec):
    """When an episode whose run came to nothing may run again: both must hold.

    Attributes:
        new_labelled_share: mature labels since that run's data end, as a share of those that it learned from.
        min_interval: since that run's data end.
    """

    new_labelled_share: Annotated[Fraction, Field()] = Decimal("0.25")
    min_interval: Duration = timedelta(days=14)


class CircuitBreaker(Spec):
    """After so many failed runs in a row (not refused ones), none for a while."""

    failures: Annotated[int, Field(ge=1, le=KEPT)] = 3
    reset_after: Duration = timedelta(hours=24)


class Guards(Spec):
    """What holds a trigger back."""

    cooldown: Duration = timedelta(hours=24)
    max_per_day: Annotated[int, Field(ge=1, le=KEPT)] = 1
    rearm: Rearm = Rearm()
    circuit_breaker: CircuitBreaker = CircuitBreaker()


class Retrain(Spec):
    """The `retrain:` of a project; the spec of a RetrainPolicy but for its pipeline."""

    triggers: Annotated[tuple[Trigger, ...], Field(max_length=20)] = (
        Trigger(name="performance", performance=OnPerformance()),
    )
    guards: Guards = Guards()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [trigger.name for trigger in self.triggers]
        if len(set(names)) != len(names):
            raise ValueError("two triggers have one name")
        return self


class Outcome(StrEnum):
    """What came of a run."""

    RUNNING = "Running"
    FAILED = "Failed"
    REFUSED = "Refused"
    CANDIDATE = "Candidate"
    REJECTED = "Rejected"
    PROMOTED = "Promoted"
    SKIPPED = "Skipped"


class Attempt(Stored):
    """One run that this policy asked for.

    Attributes:
        key: sha256 of (policy, episode, arming), written here before the run is created.
        cause: name of the trigger.
        episode: what armed it: an episode's id, or the trigger's own period.
        arming: 1 for the first run of an episode.
        data_end: no row after this was read.
        labelled: rows with a label that it learned from; 0 if not known.
        version: what it registered, if anything.
    """

    key: str
    cause: str
    episode: str
    arming: int
    claimed_at: AwareDatetime
    data_end: AwareDatetime
    outcome: Outcome = Outcome.RUNNING
    ended_at: AwareDatetime | None = None
    run_id: str | None = None
    version: str | None = None
    labelled: int = 0
    because: str = ""


class RetrainStatus(Stored):
    """What a policy has done.

    Attributes:
        since: when it was first looked at; what was due before is not made up for.
        claim: the run that was asked for and is not over, written before it was created.
        history: those that are over, newest last, ≤ 20.
        waiting: why nothing runs though something asks for it; "" otherwise.
    """

    since: AwareDatetime | None = None
    claim: Attempt | None = None
    history: Annotated[tuple[Attempt, ...], Field(max_length=KEPT)] = ()
    waiting: str = ""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All of them, the one that is not over last."""
        return self.history if self.claim is None else (*self.history, self.claim)

    def claimed(self, attempt: Attempt) -> Self:
        """With one more attempt, whose run is to be created; nothing waits any longer."""
        return self.model_copy(update={"claim": attempt, "waiting": ""})

    def no_later_than(self, now: datetime) -> Self:
        """With every time of what is over at `now` at the latest. A claim stays, for its run was asked for by it."""
        over = tuple(
            one.model_copy(
                update={
                    "claimed_at": min(one.claimed_at, now),
                    "data_end": min(one.data_end, now),
                    "ended_at": min(one.ended_at, now) if one.ended_at is not None else None,
                }
            )
            for one in self.history
        )
        since = min(self.since, now) if self.since is not None else None
        return self.model_copy(update={"since": since, "history": over})

    def changed(self, update: Mapping[str, Any], open_episodes: Set[str] = frozenset()) -> Self:
        """With the last attempt changed; once it is over it is history.

        Args:
            open_episodes: the last attempt of each is kept, however old, for it numbers the next arming.
        """
        last = self.attempts[-1].model_copy(update=dict(update))
        before = self.attempts[:-1]
        if last.outcome is Outcome.RUNNING:
            return self.model_copy(update={"claim": last, "history": before})
        history = _kept((*before, last), open_episodes)
        return self.model_copy(update={"claim": None, "history": history})


def _kept(attempts: tuple[Attempt, ...], open_episodes: Set[str]) -> tuple[Attempt, ...]:
    """The newest, and of each open episode the last."""
    if len(attempts) <= KEPT:
        return attempts
    last = {one.episode: one.key for one in attempts}
    needed = {last[episode] for episode in open_episodes if episode in last}
    spare = [one for one in attempts if one.key not in needed]
    gone = {one.key for one in spare[: len(attempts) - KEPT]}
    return tuple(one for one in attempts if one.key not in gone)[-KEPT:]

"""What became of the runs that were asked for."""

from datetime import datetime
from typing import Any

from trimtab.api.retrain import Outcome, Retrain
from trimtab.retrain.world import Decision, Fate, Happened, Observed, RunSeen, Start


def begin(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """The first look is written down: what was due before it is not made up for."""
    if seen.status.since is not None:
        return None
    return Decision("the policy begins", claim=seen.status.model_copy(update={"since": now}))


def bring_to_now(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """A clock that was set back leaves times ahead of now; cooldowns that began there would last too long."""
    brought = seen.status.no_later_than(now)
    if brought == seen.status:
        return None
    return Decision("the clock was set back", claim=brought)


def start_what_is_claimed(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """A claim without a run: the process died between the two, or they follow right now."""
    claim = seen.status.claim
    if claim is None or seen.run is not None:
        return None
    return Decision(
        "the claimed run is started",
        start=Start(claim.key, {"until": claim.data_end.isoformat()}),
    )


def end_surplus(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """At least one run of a key is created, exactly one takes effect; the others are ended."""
    if not seen.surplus:
        return None
    return Decision("runs beside the effective one are ended", end=seen.surplus)


def settle_run(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """A run that is over has made a candidate, was refused by its gates, failed, or was another's."""
    claim, run = seen.status.claim, seen.run
    if claim is None or run is None or not run.ended:
        return None
    outcome = _outcome(run)
    because = run.because or outcome.value
    update: dict[str, Any] = {
        "outcome": outcome,
        "ended_at": now,
        "run_id": run.id,
        "version": run.version,
        "labelled": run.labelled or claim.labelled,
        "because": because,
    }
    if run.data_end is not None:
        update["data_end"] = run.data_end
    happened = Happened("RunEnded", f"{outcome.value}: {because}", {"version": run.version, "run": run.id})
    return Decision(because, claim=seen.status.changed(update, _open(seen)), happened=(happened,))


def settle_candidate(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """A candidate was promoted, or refused by its rollout."""
    attempts = seen.status.attempts
    if not attempts or attempts[-1].outcome is not Outcome.CANDIDATE or seen.fate is Fate.UNDECIDED:
        return None
    outcome = Outcome.PROMOTED if seen.fate is Fate.PROMOTED else Outcome.REJECTED
    return Decision(outcome.value, claim=seen.status.changed({"outcome": outcome}, _open(seen)))


def wait_for_run(policy: str, spec: Retrain, seen: Observed, now: datetime) -> Decision | None:
    """One run at a time."""
    return Decision.rest("a run is on its way") if seen.status.claim is not None else None


def _outcome(run: RunSeen) -> Outcome:
    if run.skipped:
        return Outcome.SKIPPED
    if run.failed:
        return Outcome.FAILED
    return Outcome.CANDIDATE if run.passed is not False and run.version is not None else Outcome.REFUSED


def _open(seen: Observed) -> frozenset[str]:
    return frozenset(episode.id for episode in seen.episodes)

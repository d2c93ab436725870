"""What holds a run back that something asks for."""

from datetime import datetime, timedelta

from trimtab.api.retrain import Attempt, Outcome, Retrain
from trimtab.retrain.world import Observed


def held_back(spec: Retrain, seen: Observed, now: datetime) -> str:
    """Why no run may start now; "" if one may."""
    for guard in (suspended, undecided, circuit_open, cooling, enough_today):
        if because := guard(spec, seen, now):
            return because
    return ""


def suspended(spec: Retrain, seen: Observed, now: datetime) -> str:
    return "suspended" if seen.suspended else ""


def undecided(spec: Retrain, seen: Observed, now: datetime) -> str:
    """None starts while a rollout is undecided, or its candidate not yet under way."""
    attempts = seen.status.attempts
    waiting = bool(attempts) and attempts[-1].outcome is Outcome.CANDIDATE
    return "a rollout is undecided" if seen.undecided or waiting else ""


def circuit_open(spec: Retrain, seen: Observed, now: datetime) -> str:
    """So many failed runs in a row say that something else is wrong."""
    breaker = spec.guards.circuit_breaker
    over = [attempt for attempt in seen.status.attempts if attempt.outcome is not Outcome.RUNNING]
    last = over[-breaker.failures :]
    if len(last) < breaker.failures or any(a.outcome is not Outcome.FAILED for a in last):
        return ""
    until = (last[-1].ended_at or last[-1].claimed_at) + breaker.reset_after
    return (
        f"{breaker.failures} runs failed in a row; waits until {until:%Y-%m-%d %H:%M}" if now < until else ""
    )


def cooling(spec: Retrain, seen: Observed, now: datetime) -> str:
    if not seen.status.attempts:
        return ""
    last = seen.status.attempts[-1]
    until = (last.ended_at or last.claimed_at) + spec.guards.cooldown
    return f"cools down until {until:%Y-%m-%d %H:%M}" if now < until else ""


def enough_today(spec: Retrain, seen: Observed, now: datetime) -> str:
    day = timedelta(days=1)
    recent = sum(1 for attempt in seen.status.attempts if now - attempt.claimed_at < day)
    most = spec.guards.max_per_day
    return f"{recent} runs within a day, at most {most}" if recent >= most else ""


def rearmed(spec: Retrain, seen: Observed, last: Attempt, now: datetime) -> str:
    """Why an episode whose last run came to nothing may not run again; "" if it may."""
    rearm = spec.guards.rearm
    if now < (until := last.data_end + rearm.min_interval):
        return f"re-arms on {until:%Y-%m-%d} at the earliest"
    wanted = float(rearm.new_labelled_share) * last.labelled
    have = seen.labelled_since(last.data_end)
    return f"{have} new labels of {wanted:.0f} that re-arm" if have < wanted else ""

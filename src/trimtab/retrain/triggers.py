"""What asks for a run: each trigger names what arms it, and how often that has been used."""

from dataclasses import dataclass
from datetime import datetime

from trimtab.api.cron import Cron
from trimtab.api.retrain import KEPT, Outcome, Retrain, Trigger
from trimtab.retrain.guards import rearmed
from trimtab.retrain.world import Observed


@dataclass(frozen=True, slots=True)
class Due:
    """A trigger that asks.

    Attributes:
        episode: what armed it; with `arming` it names the run.
        held: why it may not have it yet; "" if it may.
    """

    trigger: str
    episode: str
    arming: int
    because: str
    held: str = ""


def due(trigger: Trigger, spec: Retrain, seen: Observed, now: datetime) -> Due | None:
    """What a trigger asks for now, if anything."""
    if trigger.performance is not None:
        return _episode(trigger, "performance", spec, seen, now)
    if trigger.drift is not None:
        return _episode(trigger, "drift", spec, seen, now)
    if trigger.schedule is not None:
        return _schedule(trigger, seen, now)
    if trigger.event is not None:
        return _event(trigger, trigger.event.type, seen)
    return _new_data(trigger, seen)


def _episode(trigger: Trigger, cause: str, spec: Retrain, seen: Observed, now: datetime) -> Due | None:
    """One run an episode and arming: the first at once, another when the last came to nothing and much is new."""
    episode = next((e for e in seen.episodes if e.cause == cause), None)
    if episode is None:
        return None
    spent = [a for a in seen.status.attempts if a.episode == episode.id]
    if spent and spent[-1].outcome is Outcome.PROMOTED:
        return None
    arming = max((a.arming for a in spent), default=0) + 1
    because = f"{cause} episode {episode.id}, open since {episode.opened_at:%Y-%m-%d}, arming {arming}"
    held = rearmed(spec, seen, spent[-1], now) if spent else ""
    return Due(trigger.name, episode.id, arming, because, held)


def _schedule(trigger: Trigger, seen: Observed, now: datetime) -> Due | None:
    """The latest time of the schedule since the policy began, once; missed ones are not made up for."""
    assert trigger.schedule is not None
    assert seen.status.since is not None
    fires = Cron.parse(trigger.schedule.cron).latest(now, trigger.schedule.time_zone)
    if fires is None or fires <= seen.status.since:
        return None
    episode = f"{trigger.name}@{fires.isoformat()}"
    if _spent(seen, episode, fires):
        return None
    return Due(trigger.name, episode, 1, f"schedule {trigger.schedule.cron}, {fires:%Y-%m-%d %H:%M} UTC")


def _event(trigger: Trigger, type: str, seen: Observed) -> Due | None:
    """The newest event of the type since the policy began, once; those before it were overtaken."""
    assert seen.status.since is not None
    event = next((e for e in seen.posted if e.type == type), None)
    if event is None or event.at <= seen.status.since:
        return None
    episode = f"{trigger.name}@{event.id}"
    if _spent(seen, episode, event.at):
        return None
    return Due(trigger.name, episode, 1, f"event {type} {event.id}, {event.at:%Y-%m-%d %H:%M} UTC")


def _spent(seen: Observed, episode: str, since: datetime) -> bool:
    """Whether an occasion has had its run; one older than all that is remembered has."""
    history = seen.status.history
    forgotten = len(history) >= KEPT and since <= history[0].claimed_at
    return forgotten or any(a.episode == episode for a in seen.status.attempts)


def _new_data(trigger: Trigger, seen: Observed) -> Due | None:
    """Enough labelled rows since the newest run's data end, or since the policy began."""
    assert trigger.new_data is not None
    assert seen.status.since is not None
    newest = max((a.data_end for a in seen.status.attempts), default=seen.status.since)
    have = seen.labelled_since(newest)
    if have < trigger.new_data.min_rows:
        return None
    return Due(
        trigger.name,
        f"{trigger.name}@{newest.isoformat()}",
        1,
        f"{have} labelled rows since {newest:%Y-%m-%d}",
    )

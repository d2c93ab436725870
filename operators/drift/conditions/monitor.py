"""The conditions of a DriftMonitor: has the world moved, is the model worse, and is what it rests on seen?"""

from dataclasses import dataclass
from decimal import Decimal

from operators.drift.conditions.condition import Condition
from trimtab.api.monitor import Episode, MonitorStatus

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a monitor saw.

    Attributes:
        rollout: name of the rollout that is watched.
        serves: whether it has a stable revision.
        loaded: whether the reference profile has been read.
        trouble: what could not be reached or read; "" if nothing.
        coverage: share of the gateway's requests that were seen; None where it cannot be known.
        least: the coverage that the spec asks for.
        collector: why the namespace's collector does not answer; "" if it does.
    """

    status: MonitorStatus
    rollout: str
    serves: bool
    loaded: bool
    trouble: str
    coverage: float | None
    least: Decimal
    collector: str


def conditions(seen: Seen) -> tuple[Condition, ...]:
    """One a type, in the order in which a person wants to read them."""
    return (
        _ready(seen),
        _drifted(seen.status),
        _performance(seen.status),
        _coverage(seen),
        _reference(seen),
        _wired(seen),
    )


def _ready(seen: Seen) -> Condition:
    if not seen.serves:
        because = f"ModelRollout '{seen.rollout}' has no stable revision yet"
        return Condition("Ready", "False", "NothingServes", because)
    if seen.trouble:
        return Condition("Ready", "False", "Hindered", seen.trouble)
    return Condition("Ready", "True", "Watching", f"revision {seen.status.revision} is watched")


def _drifted(status: MonitorStatus) -> Condition:
    if (episode := status.open_episode("drift")) is not None:
        return _open("Drifted", episode)
    if not status.tripped:
        return Condition("Drifted", "Unknown", "NoWindowYet", "no window with enough rows has closed")
    worst = ", ".join(column.column for column in status.worst if column.drifted)[: SHOWN * 64]
    return Condition("Drifted", "False", "NoEpisode", f"drifted in the latest window: {worst or 'nothing'}")


def _performance(status: MonitorStatus) -> Condition:
    if because := status.hindrances.get("Performance"):
        return Condition("PerformanceDropped", "Unknown", "NotJudged", because)
    if (episode := status.open_episode("performance")) is not None:
        return _open("PerformanceDropped", episode)
    if not status.skill.blocks:
        return Condition("PerformanceDropped", "Unknown", "NoLabelsYet", "no block of labels is mature")
    return Condition(
        "PerformanceDropped", "False", "NoEpisode", f"judged on {status.skill.blocks} blocks of labels"
    )


def _open(kind: str, episode: Episode) -> Condition:
    return Condition(
        kind, "True", "EpisodeOpen", f"since {episode.opened_at:%Y-%m-%d %H:%M}: {episode.because}"
    )


def _coverage(seen: Seen) -> Condition:
    if seen.coverage is None:
        because = "the gateway's requests are not counted, so no share of them can be told"
        if seen.least > 0:
            because += "; drift is judged all the same with minCoverage: '0'"
        return Condition("CoverageSufficient", "Unknown", "NoDenominator", because)
    enough = seen.coverage >= seen.least
    return Condition(
        "CoverageSufficient",
        "True" if enough else "False",
        "Enough" if enough else "TooLittle",
        f"{seen.coverage:.0%} of the gateway's requests were seen; {seen.least:%} are asked for",
    )


def _reference(seen: Seen) -> Condition:
    if not seen.serves:
        return Condition("ReferenceLoaded", "Unknown", "NothingServes")
    if not seen.loaded:
        return Condition("ReferenceLoaded", "False", "NotRead", seen.trouble)
    return Condition("ReferenceLoaded", "True", "Loaded")


def _wired(seen: Seen) -> Condition:
    if seen.collector:
        return Condition("LoggingWired", "False", "CollectorNotReady", seen.collector)
    return Condition("LoggingWired", "True", "Wired")

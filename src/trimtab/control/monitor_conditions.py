"""What a person should know of a monitor: has the world moved, is the model worse, is what it rests on seen?"""

from decimal import Decimal
from typing import Final

from trimtab.api.conditions import Condition, condition
from trimtab.api.monitor import Episode, Monitor, MonitorStatus

SHOWN: Final = 192
"""Characters of the columns that drifted."""


def monitor_conditions(
    spec: Monitor,
    status: MonitorStatus,
    coverage: float | None = None,
    *,
    idle: str = "",
    trouble: str = "",
    loaded: bool = True,
    collector: str = "",
) -> tuple[Condition, ...]:
    """One a type, in the order in which a person wants to read them.

    Args:
        coverage: share of the answered requests that came to be known, in the latest window; None if unknown.
        idle: why there is nothing to watch; "" if there is.
        trouble: what could not be reached or read; "" if nothing.
        loaded: whether the reference profile has been read.
        collector: why the collector does not answer; "" if it does.
    """
    return (
        _ready(status, idle, trouble),
        _drifted(status),
        _performance(status),
        _coverage(coverage, spec.min_coverage),
        _reference(idle, trouble, loaded),
        _wired(collector),
    )


def _ready(status: MonitorStatus, idle: str, trouble: str) -> Condition:
    if idle:
        return condition("Ready", False, "NothingServes", idle)
    if trouble:
        return condition("Ready", False, "Hindered", trouble)
    return condition("Ready", True, "Watching", f"revision {status.revision} is watched")


def _drifted(status: MonitorStatus) -> Condition:
    if (episode := status.open_episode("drift")) is not None:
        return condition("Drifted", True, "EpisodeOpen", _since(episode))
    if not status.tripped:
        return condition("Drifted", None, "NoWindowYet", "no window with enough rows has closed")
    worst = ", ".join(column.column for column in status.worst if column.drifted)[:SHOWN]
    return condition("Drifted", False, "NoEpisode", f"drifted in the latest window: {worst or 'nothing'}")


def _performance(status: MonitorStatus) -> Condition:
    if because := status.hindrances.get("Performance"):
        return condition("PerformanceDropped", None, "NotJudged", because)
    if (episode := status.open_episode("performance")) is not None:
        return condition("PerformanceDropped", True, "EpisodeOpen", _since(episode))
    if not status.skill.blocks:
        return condition("PerformanceDropped", None, "NoLabelsYet", "no block of labels is mature")
    because = f"judged on {status.skill.blocks} blocks of labels"
    return condition("PerformanceDropped", False, "NoEpisode", because)


def _since(episode: Episode) -> str:
    return f"since {episode.opened_at:%Y-%m-%d %H:%M}: {episode.because}"


def _coverage(coverage: float | None, least: Decimal) -> Condition:
    if coverage is None:
        because = "the gateway's requests are not counted, so no share of them can be told"
        if least > 0:
            because += "; drift is judged all the same with minCoverage: '0'"
        return condition("CoverageSufficient", None, "NoDenominator", because)
    because = f"{coverage:.0%} of the gateway's requests were seen; {least:%} are asked for"
    enough = coverage >= least
    return condition("CoverageSufficient", enough, "Enough" if enough else "TooLittle", because)


def _reference(idle: str, trouble: str, loaded: bool) -> Condition:
    if idle:
        return condition("ReferenceLoaded", None, "NothingServes")
    if not loaded:
        return condition("ReferenceLoaded", False, "NotRead", trouble)
    return condition("ReferenceLoaded", True, "Loaded")


def _wired(collector: str) -> Condition:
    if collector:
        return condition("LoggingWired", False, "CollectorNotReady", collector)
    return condition("LoggingWired", True, "Wired")

"""What a person should know of a monitor at a glance."""

from trimtab.api.conditions import Condition, condition
from trimtab.api.monitor import Monitor, MonitorStatus


def monitor_conditions(
    spec: Monitor, status: MonitorStatus, coverage: float | None, *, loaded: bool
) -> tuple[Condition, ...]:
    """All of them.

    Args:
        coverage: share of the answered requests that came to be known, in the latest window; None if unknown.
        loaded: whether the reference profile has been read.
    """
    trouble, unjudged = status.hindrances.get("Ready", ""), status.hindrances.get("Performance", "")
    drifted, dropped = status.open_episode("drift"), status.open_episode("performance")
    least = float(spec.min_coverage)
    share = "" if coverage is None else f"{coverage:.0%} of the requests are known, {least:.0%} are needed"
    return (
        condition("Ready", not trouble, "Unreachable" if trouble else "Watches", trouble),
        condition(
            "Drifted",
            drifted is not None if status.worst or drifted else None,
            "Episode" if drifted else "NoEpisode" if status.worst else "NoWindow",
            drifted.because if drifted else "",
        ),
        condition(
            "PerformanceDropped",
            True if dropped else None if unjudged or not status.skill.blocks else False,
            "Episode" if dropped else "NotJudged" if unjudged or not status.skill.blocks else "NoEpisode",
            dropped.because if dropped else unjudged,
        ),
        condition(
            "CoverageSufficient",
            None if coverage is None else coverage >= least,
            "NotKnown" if coverage is None else "Enough" if coverage >= least else "TooLittle",
            share,
        ),
        condition("ReferenceLoaded", loaded, "Loaded" if loaded else "Missing", "" if loaded else trouble),
        condition(
            "LoggingWired",
            None if coverage is None else coverage > 0,
            "NotKnown" if coverage is None else "Events" if coverage > 0 else "NoEvents",
            share,
        ),
    )

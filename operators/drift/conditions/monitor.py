"""The conditions of a DriftMonitor: has the world moved, is the model worse, and is what it rests on seen?"""

from decimal import Decimal

from operators.drift.conditions.condition import Condition
from trimtab.api.monitor import Episode, MonitorStatus

SHOWN = 3


def conditions(
    status: MonitorStatus, trouble: str, coverage: float | None, least: Decimal, collector: str
) -> tuple[Condition, ...]:
    """
    Args:
        trouble: what could not be reached or read; "" if nothing.
        coverage: share of the gateway's requests that were seen; None where it cannot be known.
        least: the coverage that the spec asks for.
        collector: why the namespace's collector does not answer; "" if it does.
    """
    return (
        _ready(status, trouble),
        _drifted(status),
        _performance(status),
        _coverage(coverage, least),
        _reference(status, trouble),
        Condition(
            "LoggingWired",
            "False" if collector else "True",
            "CollectorNotReady" if collector else "Wired",
            collector,
        ),
    )


def _ready(status: MonitorStatus, trouble: str) -> Condition:
    if status.revision is None:
        return Condition("Ready", "False", "NothingServes", "the rollout has no stable revision yet")
    if trouble:
        return Condition("Ready", "False", "Hindered", trouble)
    return Condition("Ready", "True", "Watching", f"revision {status.revision} is watched")


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


def _coverage(coverage: float | None, least: Decimal) -> Condition:
    if coverage is None:
        return Condition(
            "CoverageSufficient", "Unknown", "NoDenominator", "the gateway's requests are not known"
        )
    enough = coverage >= least
    return Condition(
        "CoverageSufficient",
        "True" if enough else "False",
        "Enough" if enough else "TooLittle",
        f"{coverage:.0%} of the gateway's requests were seen; {least:%} are asked for",
    )


def _reference(status: MonitorStatus, trouble: str) -> Condition:
    if status.revision is None:
        return Condition("ReferenceLoaded", "Unknown", "NothingServes")
    if "profile" in trouble:
        return Condition("ReferenceLoaded", "False", "NotReadable", trouble)
    return Condition("ReferenceLoaded", "True", "Loaded")

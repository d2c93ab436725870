"""When a pipeline runs, and when it must not: a pure function from what is observed to the next move.

An episode (a stretch in which the model is held to be out of date) gives one run per arming; a run that came to
nothing re-arms it once there is enough new to learn (verdicts.md 5).
"""

from trimtab.retrain.conditions import conditions
from trimtab.retrain.decide import RULES, decide
from trimtab.retrain.key import run_key
from trimtab.retrain.world import (
    Decision,
    Fate,
    Happened,
    Observed,
    OpenEpisode,
    PostedEvent,
    RunSeen,
    Start,
)

__all__ = [
    "RULES",
    "Decision",
    "Fate",
    "Happened",
    "Observed",
    "OpenEpisode",
    "PostedEvent",
    "RunSeen",
    "Start",
    "conditions",
    "decide",
    "run_key",
]

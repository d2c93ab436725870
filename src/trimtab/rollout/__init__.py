"""How a revision earns its traffic: a pure function from what is observed to the next move.

`decide` asks its rules in order of authority; `checks` turns evidence into verdicts; nothing here reads a clock,
a network or a disk. The laptop and the operator run the same function.
"""

from trimtab.rollout.conditions import Told, conditions
from trimtab.rollout.decide import RULES, decide
from trimtab.rollout.decision import Decision
from trimtab.rollout.revision import revision_id
from trimtab.rollout.world import Apart, Copies, Newest, Observed, Ordered, Routed, ServerSeen

__all__ = [
    "RULES",
    "Apart",
    "Copies",
    "Decision",
    "Newest",
    "Observed",
    "Ordered",
    "Routed",
    "ServerSeen",
    "Told",
    "conditions",
    "decide",
    "revision_id",
]

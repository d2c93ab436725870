"""A pause stops progress, never safety: it stands below every rule that protects."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.rollout.decision import Decision
from trimtab.rollout.world import Observed


def obey_suspend(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Nothing new begins, and no step ends, while suspended."""
    return Decision.rest("suspended") if seen.suspended else None

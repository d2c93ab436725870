"""A candidate that a check holds to be worse is rolled back; so is one that the registry has come to bar."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import CheckStatus, Phase
from trimtab.rollout.decision import Decision
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.world import Observed
from trimtab.sequential import Verdict


def roll_back_what_fails(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """One failed check is enough, whichever step it failed at: a crossed bound is latched."""
    status = seen.status
    if status.candidate is None or status.phase is Phase.ROLLING_BACK:
        return None
    asked = {check.name for check in spec.checks}
    failing = tuple(c for c in status.checks if c.verdict == Verdict.FAIL and c.name in asked)
    if not failing:
        return None
    return roll_back(seen, now, "Fail: " + "; ".join(sentence(check) for check in failing), checks=failing)


def roll_back_what_is_barred(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """A bar that somebody set in the registry while the candidate was in flight holds too."""
    status = seen.status
    if status.candidate is None or status.phase is Phase.ROLLING_BACK or not seen.candidate_rejected:
        return None
    return roll_back(seen, now, "the registry bars it")


def sentence(check: CheckStatus) -> str:
    """A check's verdict in words and numbers.

    >>> sentence(CheckStatus(name="loss", step="shadow", verdict="Fail", estimate=0.031, lower=0.002, units=14))
    'loss 0.031 in [0.002, ∞] over 14 units'
    """
    if check.reason:
        return f"{check.name}: {check.reason}"
    lower = "−∞" if check.lower is None else f"{check.lower:.3g}"
    upper = "∞" if check.upper is None else f"{check.upper:.3g}"
    estimate = "?" if check.estimate is None else f"{check.estimate:.3g}"
    margin = "" if check.margin is None else f", margin {check.margin:.3g}"
    return f"{check.name} {estimate} in [{lower}, {upper}] over {check.units} units{margin}"

"""A number of a metrics server against a bound: no test stands behind it, and it carries no error rate.

So many answers out of bounds in a row fail it; one within passes for as long as it is the latest. No answer says
nothing, and neither adds to a row nor ends it.
"""

from datetime import datetime

from trimtab.api.rollout import Check
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks.base import written
from trimtab.sequential import Bounds, Verdict


def judge_threshold(
    check: Check,
    step: str,
    previous: CheckStatus | None,
    value: float | None,
    at: datetime,
    because: str = "",
) -> CheckStatus:
    """The verdict with one more answer; a Fail stays.

    Args:
        value: None where there was none.
        because: why there was none.
    """
    if previous is not None and previous.verdict == Verdict.FAIL:
        return previous
    failures = int(previous.evidence.get("failures", 0)) if previous else 0
    units = previous.units if previous else 0
    if value is None:
        verdict, reason = Verdict.INCONCLUSIVE, because or "no data"
    elif outside := _outside(check, value):
        failures, units = failures + 1, units + 1
        failed = failures >= check.consecutive_failures
        verdict = Verdict.FAIL if failed else Verdict.INCONCLUSIVE
        reason = f"{outside}, {failures} of {check.consecutive_failures} in a row"
    else:
        failures, units, verdict, reason = 0, units + 1, Verdict.PASS, ""
    return written(
        check,
        step,
        verdict,
        Bounds(),
        estimate=float("nan") if value is None else value,
        units=units,
        rows=units,
        reason=reason,
        evidence={"failures": failures, "asked": at.isoformat()},
    )


def _outside(check: Check, value: float) -> str:
    if check.at_most is not None and value > float(check.at_most):
        return f"{value:.4g} is above {check.at_most}"
    if check.at_least is not None and value < float(check.at_least):
        return f"{value:.4g} is below {check.at_least}"
    return ""

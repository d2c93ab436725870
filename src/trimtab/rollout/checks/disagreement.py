"""A sanity check on predictions, labels not needed: it can only fail (verdicts.md 2).

Two good models disagreed on 21 % of a month's rows, a good and a bad one on 10 %: agreement proves nothing. What is
broken shows: NaN, one constant answer, predictions that differ in the mean by more than 0.15.
"""

from typing import Final, Protocol

from trimtab.api.rollout import Check
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks.base import written
from trimtab.sequential import Bounds, Verdict

LEAST_PAIRS: Final = 200
MEAN_DIFFERENCE: Final = 0.15


class AgreementLike(Protocol):
    """Paired predictions of both revisions (ports.evidence.Agreement)."""

    @property
    def pairs(self) -> int: ...
    @property
    def disagree(self) -> int: ...
    @property
    def difference(self) -> float: ...
    @property
    def not_finite(self) -> int: ...
    @property
    def distinct(self) -> int: ...


def judge_disagreement(
    check: Check, step: str, previous: CheckStatus | None, agreement: AgreementLike
) -> CheckStatus:
    """Fail or Inconclusive; a Fail stays."""
    if previous is not None and previous.verdict == Verdict.FAIL:
        return previous
    assert check.at_most is not None
    pairs = agreement.pairs
    share = agreement.disagree / pairs if pairs else float("nan")
    because = _insane(agreement, share, float(check.at_most))
    return written(
        check,
        step,
        Verdict.FAIL if because else Verdict.INCONCLUSIVE,
        Bounds(),
        estimate=share,
        units=pairs,
        rows=pairs,
        reason=because,
        evidence={},
    )


def _insane(agreement: AgreementLike, share: float, at_most: float) -> str:
    if agreement.not_finite:
        return f"{agreement.not_finite} predictions are not finite"
    if agreement.pairs < LEAST_PAIRS:
        return ""
    mean = agreement.difference / agreement.pairs
    if agreement.distinct < 2:
        return "every prediction is the same number"
    if share > at_most:
        return f"{share:.0%} of the predictions fall on the other side of a half, above {at_most:.0%}"
    if abs(mean) > MEAN_DIFFERENCE:
        return f"predictions differ by {mean:+.2f} in the mean"
    return ""

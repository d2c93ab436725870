"""Pass and Fail are two tests on one confidence sequence.

A difference is positive when the candidate is worse. With [L, U] its confidence sequence, L at `alpha.fail`
and U at `alpha.pass`, and m the margin:

    Pass            U < m
    Fail            L > 0 and not U < m
    Inconclusive    neither

A candidate no worse than stable fails with probability at most alpha.fail, one worse by m or more passes with
probability at most alpha.pass, at any stopping time. Superiority by x is the margin m = −x.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Verdict(StrEnum):
    """What the evidence says so far; no evidence is INCONCLUSIVE."""

    PASS = "Pass"
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A confidence sequence [lower, upper] up to now; the whole line before any evidence.

    Both bounds hold at all times at once, so the tightest seen so far holds too: a bound once crossed stays
    crossed (`tighten`), whatever later blocks say.
    """

    lower: float = -inf
    upper: float = inf

    def tighten(self, now: Bounds) -> Bounds:
        """The tightest of what was known and what is known now.

        >>> Bounds(-1.0, 0.5).tighten(Bounds(-0.2, 0.9))
        Bounds(lower=-0.2, upper=0.5)
        """
        return Bounds(max(self.lower, now.lower), min(self.upper, now.upper))


def judge(bounds: Bounds, margin: float) -> Verdict:
    """The verdict of "worse by less than `margin`"; for superiority by x ≥ 0 pass margin −x.

    >>> judge(Bounds(-0.01, 0.015), margin=0.02), judge(Bounds(0.005, 0.2), margin=0.02)
    (<Verdict.PASS: 'Pass'>, <Verdict.FAIL: 'Fail'>)
    >>> judge(Bounds(-0.03, 0.03), margin=0.02), judge(Bounds(), margin=0.02)
    (<Verdict.INCONCLUSIVE: 'Inconclusive'>, <Verdict.INCONCLUSIVE: 'Inconclusive'>)
    """
    if bounds.upper < margin:
        return Verdict.PASS
    return Verdict.FAIL if bounds.lower > 0 else Verdict.INCONCLUSIVE

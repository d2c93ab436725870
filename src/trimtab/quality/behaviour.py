"""Behaviour tests: what any sensible model does, asked on real rows that are changed on purpose.

The three kinds of CheckList (Ribeiro et al. 2020): invariance (the answer must not move), direction (it must not
go the wrong way), minimum functionality (it is at least, or at most, so much). Here they become one number a row,
how far it breaks the rule, so that the worst row can be named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trimtab.quality.row_loss import Array

Kind = Literal["invariance", "direction", "minimum_functionality"]


@dataclass(frozen=True, slots=True)
class WorstRow:
    """The row that breaks a rule most (or comes nearest to it).

    Attributes:
        row: its number among the rows asked.
        before: the model's answer as it is.
        after: its answer to the changed row.
    """

    row: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Behaved:
    """What one test found.

    Attributes:
        rows: that were asked; failed: that break the rule.
        worst: None where no row was asked.
    """

    rows: int
    failed: int
    passed: bool
    because: str
    worst: WorstRow | None


def moved(before: Array, after: Array) -> Array:
    """How far answers moved; of several classes, the most that one's probability did. Shape (rows,)."""
    off = np.abs(after - before)
    return np.asarray(off if off.ndim == 1 else off.max(axis=1))


def wrong_way(before: Array, after: Array, answer: Literal["rises", "falls"]) -> Array:
    """How far answers went the wrong way; below 0 the right one. Shape (rows,)."""
    return np.asarray(before - after if answer == "rises" else after - before)


def outside(answers: Array, at_least: float | None, at_most: float | None) -> Array:
    """How far answers lie outside the bounds; below 0 inside. Shape (rows,)."""
    below = np.full(len(answers), -np.inf) if at_least is None else at_least - answers
    above = np.full(len(answers), -np.inf) if at_most is None else answers - at_most
    return np.maximum(below, above)


def judged(broken_by: Array, allowed: float, share: float, before: Array, after: Array) -> Behaved:
    """The test's verdict. No rows is no pass.

    Args:
        broken_by: as one of the above gives, shape (rows,).
        allowed: how far a row may break the rule.
        share: of the rows may do so.
    """
    if not len(broken_by):
        return Behaved(0, 0, False, "no row of the test part meets `where`", None)
    broken_by = np.where(np.isfinite(broken_by), broken_by, np.inf)
    failed = int((broken_by > allowed + 1e-9).sum())
    k = int(np.argmax(broken_by))
    which = 0 if before.ndim == 1 else int(np.argmax(np.abs(after[k] - before[k])))
    ends = [float(np.atleast_1d(answers[k])[which]) for answers in (before, after)]
    passed = failed <= share * len(broken_by)
    because = f"{failed:,} of {len(broken_by):,} rows fail"
    because += f", at most {100 * share:g} % may" if share else ""
    return Behaved(len(broken_by), failed, passed, because, WorstRow(k, *ends))

"""Gaps between groups of people (or of anything): do calls and mistakes fall on all alike?

| gap | greatest less smallest of the groups' | source |
|---|---|---|
| demographic_parity_difference | share called positive | Dwork et al. 2012 |
| equal_opportunity_difference | share called positive of those that are positive | Hardt, Price & Srebro 2016 |
| equalized_odds_difference | the same, or of those that are negative: the wider of both | Hardt, Price & Srebro 2016 |

A gap is the widest of several differences, so noise alone makes one above 0: read it with its interval. Groups
too small to judge are shown and take no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.bootstrap import Interval, interval_of
from trimtab.quality.row_loss import Array

GAPS: Final = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")
MOST_GROUPS: Final = 50


@dataclass(frozen=True, slots=True)
class Group:
    """Rows whose attribute has one value; rates are NaN where nothing stands below the line.

    Attributes:
        selected: share called positive.
        true_positive, false_positive: that share among the positive and the negative rows.
        judged: large enough to take part in the gaps.
    """

    value: str
    rows: int
    selected: float
    true_positive: float
    false_positive: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Fairness:
    """Gaps over one attribute.

    Attributes:
        gaps, intervals: by name; NaN where fewer than two groups can be judged.
    """

    attribute: str
    groups: tuple[Group, ...]
    gaps: dict[str, float]
    intervals: dict[str, Interval]


def fairness(
    attribute: str,
    values: NDArray[Any],
    labels: Array,
    predictions: Array,
    blocks: NDArray[np.int64],
    seed: int,
    threshold: float = 0.5,
    min_rows: int = 50,
) -> Fairness:
    """The groups of an attribute and the gaps between them, of a binary label.

    Args:
        values: of the attribute, shape (rows,); missing ones are a group of their own.
        predictions: positive-class probabilities; at `threshold` and above a row is called positive.
        blocks: number of each row's block, shape (rows,), for the intervals.
        min_rows: of a group that is judged; 50 groups at most are, the largest.
    """
    text = values.astype(str)
    names, group, rows = np.unique(text, return_inverse=True, return_counts=True)
    _, block = np.unique(blocks, return_inverse=True)
    size, n_blocks = len(names), int(block.max(initial=-1)) + 1
    kind = 2 * (labels > 0.5) + (predictions >= threshold)
    places = (block * size + group) * 4 + kind
    tables = np.bincount(places, minlength=n_blocks * size * 4).reshape(n_blocks, size, 4).astype(float)
    largest = np.argsort(-rows, kind="stable")[:MOST_GROUPS]
    judged = largest[rows[largest] >= min_rows]
    flat = tables[:, judged].reshape(n_blocks, -1)
    rates = _rates(tables.sum(axis=0))
    gaps = _gaps(_rates(tables[:, judged].sum(axis=0))[None])

    def drawn(gap: int) -> Interval:
        def of(counts: NDArray[np.int64]) -> Array:
            return np.asarray(_gaps(_rates((counts @ flat).reshape(len(counts), len(judged), 4)))[:, gap])

        return interval_of(of, n_blocks, seed)

    known = len(judged) >= 2
    return Fairness(
        attribute,
        tuple(
            Group(str(names[k]), int(rows[k]), float(r[0]), float(r[1]), float(r[2]), bool(k in judged))
            for k in largest
            for r in (rates[k],)
        ),
        {name: float(gaps[0, i]) if known else nan for i, name in enumerate(GAPS)},
        {name: drawn(i) if known else Interval(nan, nan, n_blocks) for i, name in enumerate(GAPS)},
    )


@dataclass(frozen=True, slots=True)
class LimitResult:
    """What a limit on a gap said."""

    attribute: str
    gap: str
    passed: bool
    because: str


def judge_gap(found: Fairness, gap: str, at_most: float) -> LimitResult:
    """A limit on one gap. What cannot be measured does not pass."""
    value = found.gaps[gap]
    if not isfinite(value):
        because = f"{gap} of {found.attribute}: fewer than two groups are large enough to judge"
        return LimitResult(found.attribute, gap, False, because)
    who = _ends(found, gap)
    because = f"{gap} of {found.attribute} is {value:.3f}{who}, asked is at most {at_most:g}"
    return LimitResult(found.attribute, gap, value <= at_most, because)


def _ends(found: Fairness, gap: str) -> str:
    """The groups at both ends of a gap, where it is of one rate; else nothing."""
    if gap == "equalized_odds_difference":
        return ""
    rates = {
        group.value or "(missing)": group.selected if gap.startswith("demographic") else group.true_positive
        for group in found.groups
        if group.judged
    }
    order = sorted((rate, name) for name, rate in rates.items() if isfinite(rate))
    return f" ({order[0][1]} {order[0][0]:.3f}, {order[-1][1]} {order[-1][0]:.3f})"


def _rates(tables: Array) -> Array:
    """Selected, true-positive and false-positive rate of tables (…, groups, 4 of label × call), last axis 3."""
    negative, positive = tables[..., :2], tables[..., 2:]
    called = tables[..., 1] + tables[..., 3]
    parts = np.stack([called, positive[..., 1], negative[..., 1]], axis=-1)
    wholes = np.stack([tables.sum(axis=-1), positive.sum(axis=-1), negative.sum(axis=-1)], axis=-1)
    return np.asarray(np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0))


def _gaps(rates: Array) -> Array:
    """The gaps of rates (draws, groups, 3), shape (draws, 3)."""
    if rates.shape[1] == 0:
        return np.full((len(rates), len(GAPS)), np.nan)
    low, high = np.fmin.reduce(rates, axis=1), np.fmax.reduce(rates, axis=1)
    selected, opportunity, mistaken = (high - low).T
    return np.stack([selected, opportunity, np.fmax(opportunity, mistaken)], axis=1)

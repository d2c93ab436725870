"""Bootstrap intervals of metrics: what the figure might have been on other days like these.

Rows of one day resemble each other, so whole days are drawn with replacement (the block bootstrap of clusters;
Davison & Hinkley 1997, 3.8); rows are drawn only where they have no time. The interval is the percentile one
with its quantiles moved out for few blocks, so that of a mean it is as wide as Student's (Hesterberg 2015,
"What teachers should know about the bootstrap", the expanded percentile interval).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from trimtab.quality.blocks import Times, local_days
from trimtab.quality.metrics import NOTHING, Beside, Metric
from trimtab.quality.row_loss import Array

CONFIDENCE: Final = 0.95
DRAWS: Final = 500
LEAST_DRAWS: Final = 100
MOST_ROWS: Final = 5_000_000
"""Rows drawn in all, of a metric that is no mean over rows: fewer draws of a large table."""
LEAST_BLOCKS: Final = 7
DEALT_BLOCKS: Final = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a 95 % interval; NaN where too few blocks (below 7) can say.

    Attributes:
        blocks: days (or rows) that were drawn from.
    """

    lower: float
    upper: float
    blocks: int

    @property
    def known(self) -> bool:
        return isfinite(self.lower) and isfinite(self.upper)


def evidence_blocks(
    times: Times | None, zone: str, rows: int, seed: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The block of each row: its local day; without a time, one of at most 200 made at random.

    Args:
        groups: rows of one group stay together where there is no time.
    """
    if times is not None:
        return local_days(times, zone)
    units = np.arange(rows) if groups is None else groups
    dealt = np.random.default_rng(seed).permutation(int(units.max()) + 1 if rows else 0) % DEALT_BLOCKS
    return np.asarray(dealt[units])


def metric_interval(
    metric: Metric,
    labels: Array,
    predictions: Array,
    blocks: NDArray[np.int64],
    seed: int,
    beside: Beside = NOTHING,
) -> Interval:
    """Of a metric over these rows.

    Args:
        blocks: number of each row's block, shape (rows,), as `evidence_blocks` gives.
    """
    _, block, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    if metric.row_loss is not None:
        losses = metric.losses(labels, predictions, beside)
        values = 1 - losses if metric.greater_is_better else losses
        return _of_mean(values, block, len(sizes), seed)
    if metric.needs == "group" and beside.groups is not None:
        values, first = _of_groups(metric, labels, predictions, beside.groups)
        return _of_mean(values, block[first], len(sizes), seed)
    members = np.split(np.argsort(blocks, kind="stable"), np.cumsum(sizes)[:-1])

    def each(counts: NDArray[np.int64]) -> Array:
        values = []
        for drawn in counts:
            rows = np.concatenate([np.tile(members[k], drawn[k]) for k in np.flatnonzero(drawn)])
            values.append(metric.value(labels[rows], predictions[rows], beside.taken(rows)))
        return np.asarray(values)

    draws = int(np.clip(MOST_ROWS // max(1, len(labels)), LEAST_DRAWS, DRAWS))
    return interval_of(each, len(sizes), seed, draws)


def _of_mean(values: Array, block: NDArray[np.int64], blocks: int, seed: int) -> Interval:
    """Of the mean of values, each of a block."""
    sums, sizes = np.bincount(block, values, blocks), np.bincount(block, minlength=blocks)

    def mean(counts: NDArray[np.int64]) -> Array:
        drawn = counts @ sizes
        return np.asarray(np.divide(counts @ sums, drawn, out=np.full(len(counts), nan), where=drawn > 0))

    return interval_of(mean, blocks, seed)


def _of_groups(
    metric: Metric, labels: Array, predictions: Array, groups: NDArray[np.int64]
) -> tuple[Array, NDArray[np.intp]]:
    """The metric of each group in which something can be ranked, and the number of its first row."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    each = [metric.compute(labels[part], predictions[part], groups[part]) for part in parts]
    values = np.asarray(each, np.float64)
    held = np.isfinite(values)
    return values[held], np.asarray([part[0] for part in parts], np.intp)[held]


def interval_of(
    statistic: Callable[[NDArray[np.int64]], Array], blocks: int, seed: int, draws: int = DRAWS
) -> Interval:
    """Of any statistic of blocks.

    Args:
        statistic: from how often each block was drawn, shape (draws, blocks), to its values, shape (draws,);
            NaN values are left out.
    """
    if blocks < LEAST_BLOCKS:
        return Interval(nan, nan, blocks)
    counts = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), draws)
    values = np.asarray(statistic(counts), np.float64)
    values = values[np.isfinite(values)]
    if len(values) < draws / 2:
        return Interval(nan, nan, blocks)
    reach = float(stdtrit(blocks - 1, (1 + CONFIDENCE) / 2)) * sqrt(blocks / (blocks - 1))
    tail = float(ndtr(-reach))
    lower, upper = np.quantile(values, [tail, 1 - tail])
    return Interval(float(lower), float(upper), blocks)

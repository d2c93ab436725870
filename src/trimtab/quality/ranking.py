"""Metrics of rankings: rows of one group (a query, a visitor's page) are ranked among themselves.

Groups in which nothing can be ranked well or ill (one row only, or no relevant one) are left out; the value is
the mean over the others, each counted once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.classification import average_precision
from trimtab.quality.row_loss import Array

Groups = NDArray[np.int64]


def ndcg(labels: Array, predictions: Array, groups: Groups) -> float:
    """Normalised discounted cumulative gain (Järvelin & Kekäläinen 2002): gain is the label itself, which must
    not be negative, the discount log2(rank + 1); tied predictions share their mean gain.

    >>> ndcg(np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.1, 0.9, 0.2, 0.3]), np.array([0, 0, 1, 1]))  # 1 and 0.63
    0.8154648767857288
    """
    return _mean([_ndcg(labels[rows], predictions[rows]) for rows in _split(groups)])


def mean_average_precision(labels: Array, predictions: Array, groups: Groups) -> float:
    """Mean over groups of average precision (scikit-learn's); a label above 0.5 is relevant."""
    return _mean(
        [
            average_precision(labels[rows], predictions[rows]) if len(rows) > 1 else np.nan
            for rows in _split(groups)
        ]
    )


def mean_reciprocal_rank(labels: Array, predictions: Array, groups: Groups) -> float:
    """Mean over groups of 1 / rank of the first relevant row; of tied rows, it stands last (the harsh reading)."""
    return _mean([_reciprocal(labels[rows], predictions[rows]) for rows in _split(groups)])


def _split(groups: Groups) -> list[NDArray[np.intp]]:
    """Row numbers of each group."""
    if len(groups) == 0:
        return []
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _ndcg(gains: Array, predictions: Array) -> float:
    if len(gains) < 2 or not (gains > 0).any():
        return float("nan")
    discount = 1 / np.log2(np.arange(len(gains)) + 2)
    _, inverse, counts = np.unique(-predictions, return_inverse=True, return_counts=True)
    shared = np.bincount(inverse, weights=gains) / counts
    reached = float(np.repeat(shared, counts) @ discount)
    return reached / float(np.sort(gains)[::-1] @ discount)


def _reciprocal(labels: Array, predictions: Array) -> float:
    relevant = labels > 0.5
    if len(labels) < 2 or not relevant.any():
        return float("nan")
    return 1 / float(
        (predictions >= predictions[relevant].max()).sum()
        - (relevant & (predictions == predictions[relevant].max())).sum()
        + 1
    )


def _mean(values: list[float]) -> float:
    held = [value for value in values if not np.isnan(value)]
    return float(np.mean(held)) if held else float("nan")

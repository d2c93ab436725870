"""Calibration table: what came true among rows that were given about the same probability."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trimtab.quality.row_loss import Array

ROWS_PER_BIN = 20


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows of one range of predictions: how many, what was said on average, what came true."""

    rows: int
    predicted: float
    observed: float


def calibration(labels: Array, predictions: Array, bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Up to `bins` bins of equal rows in order of prediction; fewer where a bin would hold under 20 rows.

    Equal predictions are never split over two bins, so a constant model has one.

    >>> calibration(np.array([0.0, 1.0] * 30), np.array([0.25] * 60))
    (CalibrationBin(rows=60, predicted=0.25, observed=0.5),)
    """
    if len(labels) == 0:
        return ()
    order = np.argsort(predictions, kind="stable")
    y, p = labels[order], predictions[order]
    bins = max(1, min(bins, len(p) // ROWS_PER_BIN))
    cuts = np.searchsorted(p, p[[len(p) * k // bins for k in range(1, bins)]])
    edges = np.unique(np.concatenate([[0], cuts, [len(p)]]).astype(int))
    return tuple(
        CalibrationBin(end - start, float(p[start:end].mean()), float(y[start:end].mean()))
        for start, end in pairwise(edges.tolist())
    )


def calibration_of_confidence(labels: Array, probabilities: Array) -> tuple[CalibrationBin, ...]:
    """The same of several classes: how probable the likeliest class was said to be, and how often it was right.

    Confidence calibration of Guo, Pleiss, Sun and Weinberger 2017, here in bins of equal rows.

    Args:
        labels: class index, shape (rows,).
        probabilities: shape (rows, classes).

    >>> calibration_of_confidence(np.array([0, 1] * 30), np.array([[0.75, 0.25]] * 60))
    (CalibrationBin(rows=60, predicted=0.75, observed=0.5),)
    """
    right = probabilities.argmax(axis=1) == labels
    return calibration(right.astype(float), probabilities.max(axis=1))

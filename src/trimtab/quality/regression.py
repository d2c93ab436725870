"""Metrics of values that are no mean over rows; each equals scikit-learn's of the same name."""

from __future__ import annotations

import numpy as np

from trimtab.quality.row_loss import Array, squared_errors


def r2(labels: Array, predictions: Array) -> float:
    """1 − residual over total variance; NaN where labels do not vary."""
    total = float(np.sum((labels - labels.mean()) ** 2)) if len(labels) else 0.0
    return 1 - float(squared_errors(labels, predictions).sum()) / total if total else float("nan")


def explained_variance(labels: Array, predictions: Array) -> float:
    """1 − variance of the residual over that of the labels: as r2, but forgives a constant error."""
    total = float(np.var(labels)) if len(labels) else 0.0
    return 1 - float(np.var(labels - predictions)) / total if total else float("nan")


def median_absolute_error(labels: Array, predictions: Array) -> float:
    return float(np.median(np.abs(labels - predictions))) if len(labels) else float("nan")


def max_error(labels: Array, predictions: Array) -> float:
    return float(np.abs(labels - predictions).max()) if len(labels) else float("nan")

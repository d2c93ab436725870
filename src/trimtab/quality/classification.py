"""Metrics of classes that are no mean over rows: of a ranking, of the calls at one half, of each class.

Labels and predictions have the shapes of `row_loss`; each equals scikit-learn's of the same name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.row_loss import Array


def roc_auc(labels: Array, predictions: Array) -> float:
    """Chance that a positive ranks above a negative row; over classes, the mean of each against the rest."""
    if predictions.ndim == 2:
        each = [roc_auc(labels == k, predictions[:, k]) for k in range(predictions.shape[1])]
        return float(np.mean(each))
    positive = labels > 0.5
    n_positive = int(positive.sum())
    n_negative = len(labels) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    rank_sum = float(_mid_ranks(predictions)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def average_precision(labels: Array, predictions: Array) -> float:
    """Σ (recall step) · precision, down the ranking."""
    positive = labels > 0.5
    if not positive.any():
        return float("nan")
    order = np.argsort(-predictions, kind="stable")
    last_of_tie = np.append(np.diff(predictions[order]) != 0, True)
    hits = np.cumsum(positive[order])[last_of_tie]
    seen = np.flatnonzero(last_of_tie) + 1
    return float(np.sum(np.diff(hits, prepend=0) / positive.sum() * hits / seen))


def precision(labels: Array, predictions: Array) -> float:
    called = predictions >= 0.5
    return float((labels[called] > 0.5).mean()) if called.any() else 0.0


def recall(labels: Array, predictions: Array) -> float:
    positive = labels > 0.5
    return float((predictions[positive] >= 0.5).mean()) if positive.any() else 0.0


def f1(labels: Array, predictions: Array) -> float:
    p, r = precision(labels, predictions), recall(labels, predictions)
    return 2 * p * r / (p + r) if p + r else 0.0


def balanced_accuracy(labels: Array, predictions: Array) -> float:
    """Mean recall of the classes that have rows."""
    table = confusion(labels, predictions)
    rows = table.sum(axis=1)
    return float((np.diag(table)[rows > 0] / rows[rows > 0]).mean()) if rows.any() else float("nan")


def matthews_corrcoef(labels: Array, predictions: Array) -> float:
    """Correlation of calls and classes (Gorodkin 2004), −1 to 1; 0 where either never varies."""
    table = confusion(labels, predictions).astype(float)
    n, true, called = table.sum(), table.sum(axis=1), table.sum(axis=0)
    if n == 0:
        return float("nan")
    spread = float((n**2 - called @ called) * (n**2 - true @ true))
    return float((np.trace(table) * n - true @ called) / np.sqrt(spread)) if spread > 0 else 0.0


def precision_macro(labels: Array, predictions: Array) -> float:
    return _macro(labels, predictions, lambda hit, true, called: _over(hit, called))


def recall_macro(labels: Array, predictions: Array) -> float:
    return _macro(labels, predictions, lambda hit, true, called: _over(hit, true))


def f1_macro(labels: Array, predictions: Array) -> float:
    return _macro(labels, predictions, lambda hit, true, called: _over(2 * hit, true + called))


def confusion(labels: Array, predictions: Array) -> NDArray[np.int64]:
    """Rows by class (first axis) and call (second axis), shape (classes, classes)."""
    called = predictions.argmax(axis=1) if predictions.ndim == 2 else (predictions >= 0.5).astype(int)
    classes = predictions.shape[1] if predictions.ndim == 2 else 2
    places = labels.astype(int) * classes + called
    return np.asarray(np.bincount(places, minlength=classes**2)).reshape(classes, classes)


def _macro(labels: Array, predictions: Array, of: Callable[[Array, Array, Array], Array]) -> float:
    """The mean over the classes that rows or calls name."""
    table = confusion(labels, predictions).astype(float)
    true, called = table.sum(axis=1), table.sum(axis=0)
    named = true + called > 0
    return float(of(np.diag(table), true, called)[named].mean()) if named.any() else float("nan")


def _over(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mid_ranks(values: Array) -> Array:
    """Ranks from 1; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])

"""Metrics under scikit-learn's names, one vocabulary from YAML to result.json.

`log_loss` clips probabilities to [0.001, 0.999]; all else equals scikit-learn's. Labels and predictions have
the shapes of `row_loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from trimtab.quality.row_loss import (
    Array,
    absolute_errors,
    brier_scores,
    log_losses,
    mistakes,
    squared_errors,
)

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that says how good a model is.

    Attributes:
        name: scikit-learn's.
        tasks: where it is defined.
        greater_is_better: direction.
        compute: (labels, predictions) to the value; NaN where it is undefined (no rows, one class only).
        row_loss: the loss of each row, where the value is 1 − its mean or its mean; None for ranking metrics.
    """

    name: str
    tasks: frozenset[Task]
    greater_is_better: bool
    compute: Callable[[Array, Array], float]
    row_loss: Callable[[Array, Array], Array] | None = None

    def worse_by(self, value: float, stable: float) -> float:
        """How much worse `value` is than `stable`'s; positive = worse."""
        return stable - value if self.greater_is_better else value - stable


def evaluate(names: Iterable[str], labels: Array, predictions: Array) -> dict[str, float]:
    """The named metrics over all rows.

    >>> y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> evaluate(["roc_auc", "accuracy"], y, p)
    {'roc_auc': 0.75, 'accuracy': 0.75}
    """
    return {name: METRICS[name].compute(labels, predictions) for name in names}


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


def r2(labels: Array, predictions: Array) -> float:
    """1 − residual over total variance; NaN where labels do not vary."""
    total = float(np.sum((labels - labels.mean()) ** 2)) if len(labels) else 0.0
    return 1 - float(squared_errors(labels, predictions).sum()) / total if total else float("nan")


def _mean_of(row_loss: Callable[[Array, Array], Array]) -> Callable[[Array, Array], float]:
    return lambda labels, predictions: (
        float(row_loss(labels, predictions).mean()) if len(labels) else float("nan")
    )


def _mid_ranks(values: Array) -> Array:
    """Ranks from 1; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


_BINARY: Final[frozenset[Task]] = frozenset({"binary"})
_CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})
_VALUES: Final[frozenset[Task]] = frozenset({"regression"})

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("log_loss", _CLASSES, False, _mean_of(log_losses), log_losses),
        Metric("brier_score", _CLASSES, False, _mean_of(brier_scores), brier_scores),
        Metric("accuracy", _CLASSES, True, lambda y, p: 1 - _mean_of(mistakes)(y, p), mistakes),
        Metric("roc_auc", _CLASSES, True, roc_auc),
        Metric("average_precision", _BINARY, True, average_precision),
        Metric("precision", _BINARY, True, precision),
        Metric("recall", _BINARY, True, recall),
        Metric("f1", _BINARY, True, f1),
        Metric("mean_squared_error", _VALUES, False, _mean_of(squared_errors), squared_errors),
        Metric(
            "root_mean_squared_error",
            _VALUES,
            False,
            lambda y, p: float(np.sqrt(_mean_of(squared_errors)(y, p))),
        ),
        Metric("mean_absolute_error", _VALUES, False, _mean_of(absolute_errors), absolute_errors),
        Metric("r2", _VALUES, True, r2),
    )
}

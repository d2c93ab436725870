"""Metrics under scikit-learn's names, one vocabulary from YAML to result.json.

`log_loss` clips probabilities to [0.001, 0.999]; all else equals scikit-learn's, which has no
`mean_reciprocal_rank`, `symmetric_mean_absolute_percentage_error` and `mean_absolute_scaled_error` (Hyndman &
Koehler 2006). Labels and predictions have the shapes of `row_loss`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.quality import classification as of_classes
from trimtab.quality import ranking as of_ranks
from trimtab.quality import regression as of_values
from trimtab.quality.row_loss import (
    Array,
    absolute_errors,
    absolute_percentage_errors,
    brier_scores,
    log_losses,
    mistakes,
    squared_errors,
    squared_log_errors,
    symmetric_percentage_errors,
)

Task = Literal["binary", "multiclass", "regression"]
Need = Literal["group", "scale"]


@dataclass(frozen=True, slots=True)
class Beside:
    """What some metrics need beside labels and predictions.

    Attributes:
        groups: number of each row's group, shape (rows,); None where none are declared.
        scale: mean absolute error of the naive forecast on the training rows; None without a time.
    """

    groups: NDArray[np.int64] | None = None
    scale: float | None = None

    def taken(self, rows: Any) -> Beside:
        """For the chosen rows (mask or indices)."""
        return Beside(None if self.groups is None else self.groups[rows], self.scale)


NOTHING: Final = Beside()


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that says how good a model is.

    Attributes:
        name: scikit-learn's.
        tasks: where it is defined.
        greater_is_better: direction.
        compute: (labels, predictions) to the value; NaN where it is undefined (no rows, one class only). With
            `needs`, a third argument: the groups, or the scale.
        row_loss: the loss of each row, where the value is 1 − its mean or its mean; None for ranking metrics.
        needs: what must be known beside labels and predictions.
    """

    name: str
    tasks: frozenset[Task]
    greater_is_better: bool
    compute: Callable[..., float]
    row_loss: Callable[..., Array] | None = None
    needs: Need | None = None

    def worse_by(self, value: float, stable: float) -> float:
        """How much worse `value` is than `stable`'s; positive = worse."""
        return stable - value if self.greater_is_better else value - stable

    def value(self, labels: Array, predictions: Array, beside: Beside = NOTHING) -> float:
        """The metric over all rows."""
        return self.compute(labels, predictions, *self._needed(beside))

    def losses(self, labels: Array, predictions: Array, beside: Beside = NOTHING) -> Array:
        """The loss of each row, shape (rows,); of a metric that has one."""
        assert self.row_loss is not None
        return self.row_loss(labels, predictions, *self._needed(beside))

    def _needed(self, beside: Beside) -> tuple[Any, ...]:
        if self.needs is None:
            return ()
        found = beside.groups if self.needs == "group" else beside.scale
        assert found is not None, f"{self.name} without its {self.needs}: asked for before it was checked"
        return (found,)


def evaluate(
    names: Iterable[str], labels: Array, predictions: Array, beside: Beside = NOTHING
) -> dict[str, float]:
    """The named metrics over all rows.

    >>> y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> evaluate(["roc_auc", "accuracy"], y, p)
    {'roc_auc': 0.75, 'accuracy': 0.75}
    """
    return {name: METRICS[name].value(labels, predictions, beside) for name in names}


def _mean_of(row_loss: Callable[..., Array]) -> Callable[..., float]:
    return lambda labels, predictions, *needed: (
        float(row_loss(labels, predictions, *needed).mean()) if len(labels) else float("nan")
    )


def _root_of(row_loss: Callable[..., Array]) -> Callable[..., float]:
    return lambda labels, predictions: float(np.sqrt(_mean_of(row_loss)(labels, predictions)))


def _scaled_errors(labels: Array, predictions: Array, scale: float) -> Array:
    return absolute_errors(labels, predictions) / scale


_BINARY: Final[frozenset[Task]] = frozenset({"binary"})
_CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})
_VALUES: Final[frozenset[Task]] = frozenset({"regression"})
_RANKED: Final[frozenset[Task]] = frozenset({"binary", "regression"})

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("log_loss", _CLASSES, False, _mean_of(log_losses), log_losses),
        Metric("brier_score", _CLASSES, False, _mean_of(brier_scores), brier_scores),
        Metric("accuracy", _CLASSES, True, lambda y, p: 1 - _mean_of(mistakes)(y, p), mistakes),
        Metric("roc_auc", _CLASSES, True, of_classes.roc_auc),
        Metric("balanced_accuracy", _CLASSES, True, of_classes.balanced_accuracy),
        Metric("matthews_corrcoef", _CLASSES, True, of_classes.matthews_corrcoef),
        Metric("precision_macro", _CLASSES, True, of_classes.precision_macro),
        Metric("recall_macro", _CLASSES, True, of_classes.recall_macro),
        Metric("f1_macro", _CLASSES, True, of_classes.f1_macro),
        Metric("average_precision", _BINARY, True, of_classes.average_precision),
        Metric("precision", _BINARY, True, of_classes.precision),
        Metric("recall", _BINARY, True, of_classes.recall),
        Metric("f1", _BINARY, True, of_classes.f1),
        Metric("mean_squared_error", _VALUES, False, _mean_of(squared_errors), squared_errors),
        Metric("root_mean_squared_error", _VALUES, False, _root_of(squared_errors)),
        Metric("mean_absolute_error", _VALUES, False, _mean_of(absolute_errors), absolute_errors),
        Metric("median_absolute_error", _VALUES, False, of_values.median_absolute_error),
        Metric("max_error", _VALUES, False, of_values.max_error),
        Metric("r2", _VALUES, True, of_values.r2),
        Metric("explained_variance", _VALUES, True, of_values.explained_variance),
        Metric(
            "mean_absolute_percentage_error",
            _VALUES,
            False,
            _mean_of(absolute_percentage_errors),
            absolute_percentage_errors,
        ),
        Metric(
            "symmetric_mean_absolute_percentage_error",
            _VALUES,
            False,
            _mean_of(symmetric_percentage_errors),
            symmetric_percentage_errors,
        ),
        Metric("mean_squared_log_error", _VALUES, False, _mean_of(squared_log_errors), squared_log_errors),
        Metric("root_mean_squared_log_error", _VALUES, False, _root_of(squared_log_errors)),
        Metric(
            "mean_absolute_scaled_error", _VALUES, False, _mean_of(_scaled_errors), _scaled_errors, "scale"
        ),
        Metric("ndcg", _RANKED, True, of_ranks.ndcg, needs="group"),
        Metric("mean_average_precision", _BINARY, True, of_ranks.mean_average_precision, needs="group"),
        Metric("mean_reciprocal_rank", _BINARY, True, of_ranks.mean_reciprocal_rank, needs="group"),
    )
}

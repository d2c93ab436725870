"""Losses of single rows, from which means, paired differences and daily sums are made.

Labels are 0/1 (binary), class numbers (multiclass) or values (regression); predictions are the positive
class's probability, shape (rows,), probabilities, shape (rows, classes), or values, shape (rows,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLIP = (0.001, 0.999)
"""Probabilities are cut to this range in the metric, so that one row cannot cost more than 6.9 nats."""


def log_losses(labels: Array, predictions: Array) -> Array:
    """−log of the probability given to what came true, clipped to [0.001, 0.999], nats, shape (rows,).

    >>> log_losses(np.array([1.0, 0.0]), np.array([0.5, 1.0])).round(3).tolist()
    [0.693, 6.908]
    """
    return -np.log(np.clip(_of_truth(labels, predictions), *CLIP))


def brier_scores(labels: Array, predictions: Array) -> Array:
    """Squared error of probabilities; summed over three classes or more, as scikit-learn does.

    >>> brier_scores(np.array([1.0]), np.array([0.7])).round(2).tolist()
    [0.09]
    """
    if predictions.ndim == 1:
        return np.asarray((predictions - labels) ** 2)
    hot = np.eye(predictions.shape[1])[labels.astype(int)]
    total = ((predictions - hot) ** 2).sum(axis=1)
    return np.asarray(total / 2 if predictions.shape[1] == 2 else total)


def mistakes(labels: Array, predictions: Array) -> Array:
    """1.0 where the likelier class is not the true one; a tie at 0.5 counts as the positive class."""
    if predictions.ndim == 1:
        return np.asarray((predictions >= 0.5) != (labels > 0.5), np.float64)
    return np.asarray(predictions.argmax(axis=1) != labels, np.float64)


def squared_errors(labels: Array, predictions: Array) -> Array:
    return np.asarray((predictions - labels) ** 2)


def absolute_errors(labels: Array, predictions: Array) -> Array:
    return np.abs(predictions - labels)


def absolute_percentage_errors(labels: Array, predictions: Array) -> Array:
    """|error| / |label|, a share; a label of 0 counts as the smallest number, as scikit-learn does."""
    return np.asarray(np.abs(predictions - labels) / np.maximum(np.abs(labels), np.finfo(np.float64).eps))


def symmetric_percentage_errors(labels: Array, predictions: Array) -> Array:
    """2 |error| / (|label| + |prediction|), 0 to 2; 0 where both are 0."""
    size = np.abs(labels) + np.abs(predictions)
    return np.asarray(
        np.divide(2 * np.abs(predictions - labels), size, out=np.zeros_like(size), where=size > 0)
    )


def squared_log_errors(labels: Array, predictions: Array) -> Array:
    """(log(1 + prediction) − log(1 + label))²; what is below 0 counts as 0."""
    return np.asarray((np.log1p(np.maximum(predictions, 0)) - np.log1p(np.maximum(labels, 0))) ** 2)


def _of_truth(labels: Array, predictions: Array) -> Array:
    if predictions.ndim == 1:
        return np.where(labels > 0.5, predictions, 1 - predictions)
    return np.asarray(predictions[np.arange(len(labels)), labels.astype(int)])

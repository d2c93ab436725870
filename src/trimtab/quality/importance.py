"""Permutation importance: how much worse the model is once a feature's values are dealt to other rows.

    importance = mean loss with the feature permuted − mean loss          (Breiman 2001; Fisher et al. 2019)

It asks the model's own prediction function, so it is the same figure for every family. Rows of one day are no
independent evidence, so its standard error is over days. A feature that another one repeats looks unimportant:
the model reads the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.metrics import NOTHING, Beside, Metric
from trimtab.quality.row_loss import Array

REPEATS: Final = 3
MOST_ROWS: Final = 2_000
Features = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Importance:
    """Of one feature, in the unit of the loss; the standard error is over blocks, NaN with fewer than two."""

    feature: str
    mean: float
    standard_error: float


def permutation_importance(
    ask: Callable[[Features], Array],
    features: Features,
    labels: Array,
    metric: Metric,
    blocks: NDArray[np.int64],
    seed: int,
    beside: Beside = NOTHING,
) -> tuple[Importance, ...]:
    """Of every feature, the greatest first. Asks (features + 1) times for at most 6,000 rows, evenly taken.

    Args:
        ask: the model: features to predictions.
        metric: one with a loss of each row.
    """
    rows = np.unique(np.linspace(0, len(labels) - 1, min(MOST_ROWS, len(labels))).astype(np.int64))
    held = {name: values[rows] for name, values in features.items()}
    y, beside = labels[rows], beside.taken(rows)
    _, block = np.unique(blocks[rows], return_inverse=True)
    before = metric.losses(y, ask(held), beside)
    thrice = {name: np.tile(values, REPEATS) for name, values in held.items()}
    rng = np.random.default_rng(seed)
    found = []
    for name, values in held.items():
        dealt = np.concatenate([values[rng.permutation(len(rows))] for _ in range(REPEATS)])
        answers = np.split(ask({**thrice, name: dealt}), REPEATS)
        worse = np.mean([metric.losses(y, answer, beside) - before for answer in answers], axis=0)
        found.append(Importance(name, float(worse.mean()), _error(worse, block)))
    return tuple(sorted(found, key=lambda one: -one.mean))


def _error(values: Array, block: NDArray[np.int64]) -> float:
    n = int(block.max(initial=-1)) + 1
    if n < 2:
        return nan
    scores = np.bincount(block, weights=values - values.mean(), minlength=n)
    return sqrt(float((scores**2).sum()) * n / (n - 1)) / len(values)

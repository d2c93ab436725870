"""Metrics within the values of a column: where a model that is good on the whole is bad."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.metrics import NOTHING, Beside, evaluate
from trimtab.quality.row_loss import Array


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows whose `column` has `value`, and their metrics."""

    column: str
    value: str
    rows: int
    metrics: dict[str, float]


def slices(
    column: str,
    values: NDArray[Any],
    labels: Array,
    predictions: Array,
    names: Iterable[str],
    most: int = 50,
    beside: Beside = NOTHING,
) -> tuple[Slice, ...]:
    """One slice a value, the most frequent first, at most `most`; the value is shown as text.

    >>> by = np.array(["JFK", "LGA", "JFK"], dtype=object)
    >>> [s.value for s in slices("origin", by, np.zeros(3), np.zeros(3), ["accuracy"])]
    ['JFK', 'LGA']
    """
    wanted = tuple(names)
    text = values.astype(str)
    found, counts = np.unique(text, return_counts=True)
    order = np.lexsort((found, -counts))[:most]
    made = []
    for k in order:
        here = text == found[k]
        metrics = evaluate(wanted, labels[here], predictions[here], beside.taken(here))
        made.append(Slice(column, str(found[k]), int(counts[k]), metrics))
    return tuple(made)

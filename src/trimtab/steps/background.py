"""The rows that an explanation starts from: few, and as the training rows are on the whole."""

import json
from collections.abc import Callable
from typing import Final

import numpy as np

from trimtab.features.columns import Array, Columns, is_missing, take

ROWS: Final = 16
FROM: Final = 5_000


def background(features: Columns, answers: Array) -> Columns:
    """Sixteen rows, from as many equal parts of all rows in order of the model's answer, the middle one of each.

    Their mean answer is near that of all, so what is explained is the way from a usual answer.

    Args:
        features: of the training rows.
        answers: shape (rows, classes) or (rows, 1); ordered by the last column.
    """
    order = np.argsort(answers[:, -1], kind="stable")
    middles = ((np.arange(ROWS) + 0.5) / ROWS * len(order)).astype(np.int64)
    return take(features, order[np.unique(middles)])


def background_of(ask: Callable[[Columns], Array], features: Columns, rows: Array) -> Columns:
    """The background of a model, which is asked about 5,000 of its training rows at most.

    Args:
        ask: features to answers, shape (rows,) or (rows, classes).
        rows: the training rows among those of `features`, as indices.
    """
    held = take(features, rows[np.linspace(0, len(rows) - 1, min(FROM, len(rows))).astype(np.int64)])
    return background(held, ask(held).reshape(len(next(iter(held.values()))), -1))


def to_json(rows: Columns) -> bytes:
    """By feature, its values; null where missing."""
    held = {
        name: [
            None if gone else value for value, gone in zip(values.tolist(), is_missing(values), strict=True)
        ]
        for name, values in rows.items()
    }
    return (json.dumps(held, indent=1) + "\n").encode()

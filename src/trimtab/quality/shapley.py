"""Why a model answered so: each feature's share of the way from a usual answer to this one.

Shapley values by sampling (Castro, Gómez & Tejada 2009; Štrumbelj & Kononenko 2014): start from a background row,
change its features to the explained row's one after another in random order, and give each feature what the answer
moved by at its turn; average over orders and background rows. It asks the model's own prediction function, so any
family is explained alike. Each order is walked forwards and backwards (antithetic pairs, Mitchell et al. 2022).

Whatever is sampled, the shares of a row add up to its answer less the baseline: what each walk moves by, in all, is
where it ends less where it started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.row_loss import Array

Features = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row, explained.

    Attributes:
        answer: the model's.
        baseline: its mean answer over the background rows that the walks started from.
        attributions: by feature; they add up to answer − baseline.
        standard_errors: of the sampling, by feature; 0 with one pair of walks.
    """

    answer: float
    baseline: float
    attributions: dict[str, float]
    standard_errors: dict[str, float]


def explain(
    ask: Callable[[Features], Array], row: Features, background: Features, permutations: int, seed: int
) -> Explanation:
    """Explain one row. Asks once, for permutations × (features + 1) rows.

    Args:
        ask: features to one answer a row.
        row: each shape (1,).
        background: each shape (background rows,), taken in turn.
        permutations: walks, an even number ≥ 2.
    """
    names, pairs = list(row), permutations // 2
    size = len(names)
    rng = np.random.default_rng(seed)
    forwards = rng.permuted(np.tile(np.arange(size), (pairs, 1)), axis=1)
    orders = np.stack([forwards, forwards[:, ::-1]], axis=1).reshape(permutations, size)
    turn = np.argsort(orders, axis=1)  # when each feature is changed, shape (permutations, features)
    start = np.repeat(np.arange(pairs), 2) % len(next(iter(background.values())))
    steps = np.arange(size + 1)
    walked = {
        name: np.where(turn[:, j, None] < steps, row[name][0], background[name][start][:, None]).ravel()
        for j, name in enumerate(names)
    }
    answers = np.asarray(ask(walked), np.float64).reshape(permutations, size + 1)
    moved = np.take_along_axis(np.diff(answers, axis=1), turn, axis=1)
    paired = moved.reshape(pairs, 2, size).mean(axis=1)
    errors = paired.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs > 1 else np.zeros(size)
    return Explanation(
        float(answers[:, -1].mean()),
        float(answers[:, 0].mean()),
        dict(zip(names, paired.mean(axis=0).tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
    )

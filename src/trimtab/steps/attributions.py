"""What moves a model's answers: Shapley values of some held-out rows, feature by feature.

The mean of their sizes is SHAP's global importance (Lundberg & Lee 2017). It says how far a feature moves answers,
right or wrong ones; permutation importance says what the model would lose without it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.features.columns import Array, Columns, take
from trimtab.quality.shapley import explain
from trimtab.steps.judgement import Ask

ROWS: Final = 100
LEAST_ROWS: Final = 10
PERMUTATIONS: Final = 32
ASKED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Attribution:
    """Of one feature.

    Attributes:
        mean: of the sizes of `values`.
        values: by row, in the unit of the answer.
        places: of the rows' own values in their order, 0 for the least to 1; NaN where missing or a text.
    """

    feature: str
    mean: float
    values: Array
    places: Array


def attributions(
    ask: Ask, features: Columns, answers: Array, background: Columns, seed: int
) -> tuple[Attribution, ...]:
    """Of every feature, the greatest mean first. Asks for about 100,000 rows at most.

    Args:
        features: of the held-out rows, of which a hundred are taken evenly; of many features fewer, but ten.
        answers: to them, as `ask` gives them; of several classes the likeliest is explained.
        background: where each walk starts.
    """
    most = min(ROWS, max(LEAST_ROWS, ASKED // (PERMUTATIONS * (len(features) + 1))), len(answers))
    rows = np.unique(np.linspace(0, len(answers) - 1, most).astype(np.int64))
    found = []
    for i in rows:
        place = int(answers[i].argmax()) if answers.ndim == 2 else 0

        def one(walked: Columns, place: int = place) -> Array:
            return ask(walked).reshape(len(next(iter(walked.values()))), -1)[:, place]

        found.append(
            explain(one, take(features, slice(i, i + 1)), background, PERMUTATIONS, seed).attributions
        )
    told = []
    for name, values in take(features, rows).items():
        moved = np.array([row[name] for row in found])
        told.append(Attribution(name, float(np.abs(moved).mean()), moved, _places(values)))
    return tuple(sorted(told, key=lambda one: -one.mean))


def _places(values: Array) -> Array:
    if values.dtype == object:
        return np.full(len(values), np.nan)
    held, place = np.unique(values, return_inverse=True)
    known = ~np.isnan(held)
    return np.where(known, np.arange(len(held)) / max(1, known.sum() - 1), np.nan)[place]

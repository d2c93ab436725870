"""Skill: a model's log loss less climatology's, by day; below 0 is better than knowing only the season.

The reference is what skill was on days that the model had not learned from: the last 28, each predicted by a
model fitted on what came before it (rolling origin; Tashman 2000). It is a mean with an error of its own,
which a test against it must count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.row_loss import Array, log_losses

REFERENCE_DAYS = 28
ORIGINS = 4


@dataclass(frozen=True, slots=True)
class SkillDay:
    """Σ (loss of the model − loss of climatology) over `rows` of one local day, nats."""

    day: int
    rows: int
    total: float

    @property
    def mean(self) -> float:
        return self.total / self.rows


@dataclass(frozen=True, slots=True)
class SkillReference:
    """Mean daily skill before service, and the standard error of that mean."""

    mean: float
    standard_error: float
    days: int

    @classmethod
    def of(cls, skills: Sequence[float]) -> SkillReference:
        """From mean skills of days out of sample.

        Raises:
            ValueError: fewer than two days, of which nothing can be learned.

        >>> SkillReference.of([-0.02, -0.04])
        SkillReference(mean=-0.03, standard_error=0.01, days=2)
        """
        if len(skills) < 2:
            raise ValueError("a reference needs the skill of two days at least")
        held = np.asarray(skills, np.float64)
        error = float(held.std(ddof=1)) / sqrt(len(held))
        return cls(float(held.mean()), error, len(held))


def daily_skill(
    days: NDArray[np.int64], labels: Array, predictions: Array, climatology: Array
) -> tuple[SkillDay, ...]:
    """Skill by local day; rows without a label or a climatology are left out.

    Args:
        days: local day of each row; labels 0/1 or NaN; predictions, climatology: probabilities; shapes
        (rows,).
    """
    held = np.isfinite(labels) & np.isfinite(climatology)
    days, labels = days[held], labels[held]
    difference = log_losses(labels, predictions[held]) - log_losses(labels, climatology[held])
    unique, inverse = np.unique(days, return_inverse=True)
    rows = np.bincount(inverse, minlength=len(unique))
    totals = np.bincount(inverse, weights=difference, minlength=len(unique))
    return tuple(SkillDay(int(d), int(n), float(t)) for d, n, t in zip(unique, rows, totals, strict=True))


def rolling_origins(
    last_day: int, mature: int = 2, reference_days: int = REFERENCE_DAYS, origins: int = ORIGINS
) -> tuple[tuple[int, range], ...]:
    """Where to fit and what to score: pairs (first day that may not be learned from, days to score).

    The scored days are the last `reference_days` up to and with `last_day`; a fit stops `mature` days before
    the first one it scores, as it would in service.

    >>> rolling_origins(100, mature=2, reference_days=4, origins=2)
    ((96, range(97, 99)), (98, range(99, 101)))
    """
    first = last_day - reference_days + 1
    cuts = [first + reference_days * k // origins for k in range(origins + 1)]
    return tuple((start - mature + 1, range(start, end)) for start, end in pairwise(cuts))

"""Time-series cross-validation: which rows of the past teach, and which later ones judge.

Validation parts follow each other and lie behind what teaches them, with a gap so long that every label that
teaches was mature before its part begins (López de Prado 2018, ch. 7, calls it an embargo). Without a time, folds
are drawn at random.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from trimtab.api.search import Folds
from trimtab.features.columns import Array
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.split import LEAST_ROWS

FIRST_SHARE = 0.5
"""Of the time, for the first fold to learn from, where no length is stated."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Places of rows, ascending, int64."""

    training: Array
    validation: Array


def folds_by_time(times: Array, folds: Folds, mature_after: timedelta, count: int = 0) -> tuple[Fold, ...]:
    """Folds in order of their validation parts, the last of which ends with the rows.

    Expanding folds learn from all rows before their gap; sliding ones from as long a time as the first.

    Args:
        times: datetime64[us], none missing, in any order.
        mature_after: the least gap.
        count: other than that of `folds`.

    Raises:
        TrainingRefused: the time does not hold so many folds.
    """
    count = count or folds.count
    wait = np.timedelta64(mature_after if folds.gap == "auto" else max(folds.gap, mature_after), "us")
    begin, end = times.min(), times.max() + np.timedelta64(1, "us")
    length = (
        np.timedelta64(int((end - begin) / np.timedelta64(1, "us") * (1 - FIRST_SHARE) / count), "us")
        if folds.length is None
        else np.timedelta64(folds.length, "us")
    )
    starts = [end - length * left for left in range(count, 0, -1)]
    reach = starts[0] - wait - begin
    made = []
    for start in starts:
        known = times < start - wait
        if folds.window == "sliding":
            known &= times >= start - wait - reach
        judged = (times >= start) & (times < start + length)
        made.append(Fold(np.flatnonzero(known), np.flatnonzero(judged)))
    return _checked(tuple(made))


def folds_at_random(rows: int, count: int, seed: int) -> tuple[Fold, ...]:
    """Each row judges in one fold and teaches in the others.

    Of a count of 1, a fifth of the rows judges.

    Raises:
        TrainingRefused: too few rows for so many folds.
    """
    parts = np.array_split(np.random.default_rng(seed).permutation(rows), count if count > 1 else 5)
    made = []
    for part in parts[:count]:
        judged = np.zeros(rows, bool)
        judged[part] = True
        made.append(Fold(np.flatnonzero(~judged), np.flatnonzero(judged)))
    return _checked(tuple(made))


def _checked(folds: tuple[Fold, ...]) -> tuple[Fold, ...]:
    for place, fold in enumerate(folds, 1):
        if min(len(fold.training), len(fold.validation)) < LEAST_ROWS:
            raise TrainingRefused(
                f"search.folds: fold {place} of {len(folds)} has {len(fold.training)} training and "
                f"{len(fold.validation)} validation rows, and needs {LEAST_ROWS} of each",
                remedy="take a smaller count, another length, or bring more rows",
            )
    return folds

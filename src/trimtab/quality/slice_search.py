"""Slices where the model is worst, found without being named: one value of a feature, or of a pair of features.

Candidates are the frequent values of texts and the quarters of numbers, and each pair of two features' (as in
SliceFinder, Chung et al. 2019, and SliceLine, Sagadeeva & Boehm 2021). Which are looked at depends on how many
rows they hold and never on the loss, so the test below knows them all. Pairs are counted by one matrix product
a block, as SliceLine does.

A slice is worse if the mean loss of its rows exceeds that of all others. With residuals r = loss − mean loss and
a slice of n of N rows, block b contributes

    s_b = Σ_{i in b} r_i · (1[i in slice] / n − 1[i not in slice] / (N − n)),     Σ_b s_b = the difference

Under no difference the signs of the s_b are a toss. So each block's sign is flipped at random for all slices at
once, and a slice is reported only if its t = Σ s_b / √Σ s_b² is above the 95 % quantile of the *largest* t of all
slices: at most one search in twenty reports anything where there is nothing, however many slices it looks at and
however alike the rows of a day are (wild cluster bootstrap with the null imposed, Cameron, Gelbach & Miller 2008;
maximum statistic, Westfall & Young 1993).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from trimtab.quality.bootstrap import LEAST_BLOCKS
from trimtab.quality.row_loss import Array

ALPHA: Final = 0.05
FLIPS: Final = 1_999
PARTS: Final = 4
MOST_VALUES: Final = 12
MOST_CONDITIONS: Final = 200
LEAST_ROWS: Final = 50
LEAST_SHARE: Final = 0.01
MOST_ROWS: Final = 50_000
MOST_SHOWN: Final = 10
TIMES_WORSE: Final = 1.5
"""A pair is told beside one of its conditions if its difference is so many times as large."""
SAME_ROWS: Final = 0.5
"""Two slices that share this part of the rows of either are told once."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One value of a feature, or a range of it, as text: "carrier = EV", "2.5 < temp ≤ 7", "visib is missing"."""

    feature: str
    text: str


@dataclass(frozen=True, slots=True)
class WorstSlice:
    """Rows that meet one or two conditions, where the loss is higher than elsewhere.

    Attributes:
        loss, elsewhere: mean loss of its rows, and of all others.
        lower, upper: 95 % interval of the difference, Student's t over blocks.
        p_value: corrected for all slices that were looked at.
    """

    conditions: tuple[Condition, ...]
    rows: int
    loss: float
    elsewhere: float
    lower: float
    upper: float
    p_value: float

    @property
    def difference(self) -> float:
        return self.loss - self.elsewhere


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found.

    Attributes:
        slices: the worst first, at most 10.
        looked_at: slices in the search.
        because: why nothing could be searched; "" where something was.
    """

    slices: tuple[WorstSlice, ...]
    looked_at: int
    because: str = ""


def worst_slices(
    features: Mapping[str, NDArray[Any]], losses: Array, blocks: NDArray[np.int64], seed: int
) -> Searched:
    """Search these rows.

    Args:
        features: by name, numbers or texts, shape (rows,).
        losses: shape (rows,), finite.
        blocks: number of each row's block, shape (rows,).
    """
    if len(losses) > MOST_ROWS:
        even = np.linspace(0, len(losses) - 1, MOST_ROWS).astype(np.int64)
        features = {name: values[even] for name, values in features.items()}
        losses, blocks = losses[even], blocks[even]
    _, blocks = np.unique(blocks, return_inverse=True)
    n_blocks = int(blocks.max(initial=-1)) + 1
    if n_blocks < LEAST_BLOCKS:
        return Searched((), 0, f"{n_blocks} days can tell no slice from chance; {LEAST_BLOCKS} can")
    conditions, met = _conditions(features, len(losses))
    if not conditions:
        return Searched((), 0, f"no feature has a value with {LEAST_ROWS} rows")
    places, scores = _scored(conditions, met, losses - losses.mean(), blocks, n_blocks)
    if not len(places):
        return Searched((), 0, "no slice has rows in enough days")
    t = scores.sum(axis=0) / np.sqrt(np.maximum((scores**2).sum(axis=0), 1e-300))
    p_values = _corrected(t, scores, seed)
    told = _worth_telling(places, scores.sum(axis=0), p_values)
    found: list[WorstSlice] = []
    taken: list[NDArray[np.bool_]] = []
    for k in told[np.argsort(-t[told], kind="stable")]:
        if len(found) == MOST_SHOWN:
            break
        i, j = places[k]
        rows = met[:, i].astype(bool) & met[:, j].astype(bool)
        if any((rows & other).sum() > SAME_ROWS * (rows | other).sum() for other in taken):
            continue
        taken.append(rows)
        held = (conditions[i],) if i == j else (conditions[i], conditions[j])
        found.append(_told(held, rows, losses, blocks, n_blocks, float(p_values[k])))
    return Searched(tuple(found), len(places))


def _conditions(
    features: Mapping[str, NDArray[Any]], rows: int
) -> tuple[list[Condition], NDArray[np.float32]]:
    """The conditions with the most rows, and which rows meet them, shape (rows, conditions)."""
    least = max(LEAST_ROWS, LEAST_SHARE * rows)
    made = [
        (condition, met)
        for name, values in features.items()
        for condition, met in (_values(name, values) if values.dtype == object else _ranges(name, values))
        if least <= met.sum() <= rows - least
    ]
    made.sort(key=lambda one: -int(one[1].sum()))
    made = made[:MOST_CONDITIONS]
    if not made:
        return [], np.zeros((rows, 0), np.float32)
    return [condition for condition, _ in made], np.stack([met for _, met in made], axis=1).astype(np.float32)


def _values(name: str, values: NDArray[Any]) -> Iterator[tuple[Condition, NDArray[np.bool_]]]:
    text = values.astype(str)
    found, counts = np.unique(text, return_counts=True)
    for k in np.lexsort((found, -counts))[:MOST_VALUES]:
        said = f"{name} = {found[k]}" if found[k] else f"{name} is missing"
        yield Condition(name, said), text == found[k]


def _ranges(name: str, values: NDArray[Any]) -> Iterator[tuple[Condition, NDArray[np.bool_]]]:
    absent = np.isnan(values)
    yield Condition(name, f"{name} is missing"), absent
    held = values[~absent]
    if not len(held):
        return
    distinct = np.unique(held)
    if len(distinct) <= PARTS:
        for value in distinct:
            yield Condition(name, f"{name} = {value:g}"), values == value
        return
    cuts = np.unique(np.quantile(held, np.arange(1, PARTS) / PARTS, method="lower"))
    edges = [-np.inf, *cuts.tolist(), np.inf]
    for low, high in pairwise(edges):
        said = name if low == -np.inf else f"{low:.4g} < {name}"
        said += "" if high == np.inf else f" ≤ {high:.4g}"
        with np.errstate(invalid="ignore"):
            yield Condition(name, said), (values > low) & (values <= high)


def _scored(
    conditions: list[Condition],
    met: NDArray[np.float32],
    residuals: Array,
    blocks: NDArray[np.int64],
    n_blocks: int,
) -> tuple[NDArray[np.int64], Array]:
    """The slices in the search, pairs of condition numbers (equal for one condition), shape (slices, 2); and each
    block's s_b, shape (blocks, slices).
    """
    size = len(conditions)
    counts, sums = np.zeros((n_blocks, size, size)), np.zeros((n_blocks, size, size))
    totals = np.zeros(n_blocks)
    for b in range(n_blocks):
        here = blocks == b
        part, r = met[here].astype(np.float64), residuals[here]
        counts[b], sums[b], totals[b] = part.T @ part, part.T @ (part * r[:, None]), r.sum()
    whole, rows = counts.sum(axis=0), len(residuals)
    least = max(LEAST_ROWS, LEAST_SHARE * rows)
    names = np.array([condition.feature for condition in conditions])
    fit = (whole >= least) & (rows - whole >= least) & ((counts > 0).sum(axis=0) >= LEAST_BLOCKS)
    fit &= (names[:, None] != names[None, :]) | np.eye(size, dtype=bool)
    i, j = np.nonzero(np.triu(fit))
    n = whole[i, j]
    scores = sums[:, i, j] / n - (totals[:, None] - sums[:, i, j]) / (rows - n)
    return np.stack([i, j], axis=1), scores


def _corrected(t: Array, scores: Array, seed: int) -> Array:
    """Share of sign flips under which the largest t of all slices reaches this one's, shape (slices,)."""
    unit = scores / np.sqrt(np.maximum((scores**2).sum(axis=0), 1e-300))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, len(scores)))
    largest = np.sort((signs @ unit).max(axis=1))
    reached = len(largest) - np.searchsorted(largest, t - 1e-9)
    return np.asarray((reached + 1) / (len(largest) + 1))


def _worth_telling(places: NDArray[np.int64], differences: Array, p_values: Array) -> NDArray[np.intp]:
    """The slices that are worse, but for pairs that are little worse than one of their conditions alone."""
    worse = p_values <= ALPHA
    alone = {int(i): differences[k] for k, (i, j) in enumerate(places) if i == j and worse[k]}
    return np.array(
        [
            k
            for k in np.flatnonzero(worse)
            if places[k][0] == places[k][1]
            or differences[k] > TIMES_WORSE * max(alone.get(int(i), 0.0) for i in places[k])
        ],
        np.intp,
    )


def _told(
    conditions: tuple[Condition, ...],
    rows: NDArray[np.bool_],
    losses: Array,
    blocks: NDArray[np.int64],
    n_blocks: int,
    p_value: float,
) -> WorstSlice:
    n = int(rows.sum())
    loss, elsewhere = float(losses[rows].mean()), float(losses[~rows].mean())
    parts = np.where(rows, (losses - loss) / n, -(losses - elsewhere) / (len(losses) - n))
    error = sqrt(n_blocks / (n_blocks - 1) * float((np.bincount(blocks, parts, n_blocks) ** 2).sum()))
    reach = float(stdtrit(n_blocks - 1, 0.975)) * error
    d = loss - elsewhere
    return WorstSlice(conditions, n, loss, elsewhere, d - reach, d + reach, p_value)

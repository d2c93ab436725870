"""Preprocessing, fitted on training rows only: imputation with missing flags, scaling, vocabularies.

The matrix is float32, shape (rows, numeric + flags + categorical). Every act on it is a single float32
operation in the order of the ONNX graph that `graph.py` writes, so that both give the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trimtab.features.columns import Array, Columns
from trimtab.features.schema import Categorical, FeatureSchema, Field, Task
from trimtab.steps.fitting.in_parts import Numbers, Parts, Words, learned, summed
from trimtab.steps.fitting.refusals import TrainingRefused

MIN_ROWS_A_VALUE = 10
MAX_VALUES = 1_000
PRIOR_ROWS = 20.0


@dataclass(frozen=True, slots=True)
class Numeric:
    """A numeric feature: z = (x or median − mean) · inverse, all float32.

    Attributes:
        flagged: the training rows had missing values, so the matrix has a column that says so.
    """

    name: str
    median: float
    mean: float
    inverse: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From features to a matrix: numeric columns, missing flags, category codes (0: missing or new)."""

    numeric: tuple[Numeric, ...]
    categorical: tuple[Categorical, ...]

    @property
    def flags(self) -> tuple[int, ...]:
        """Places, among the numeric features, of those with a missing flag."""
        return tuple(i for i, feature in enumerate(self.numeric) if feature.flagged)

    def schema(self, task: Task, classes: tuple[str, ...]) -> FeatureSchema:
        """What model.py is told of the matrix; a flag's column is called `<name>_missing`."""
        names = tuple(feature.name for feature in self.numeric)
        flags = tuple(f"{names[i]}_missing" for i in self.flags)
        return FeatureSchema(names + flags, self.categorical, task, classes)

    def matrix(self, features: Columns) -> Array:
        """The features as float32, shape (rows, columns)."""
        rows = len(next(iter(features.values())))
        flags = self.flags
        width = len(self.numeric) + len(flags) + len(self.categorical)
        matrix = np.empty((rows, width), np.float32)
        for i, step in enumerate(self.numeric):
            raw = features[step.name].astype(np.float32)
            absent = np.isnan(raw)
            raw[absent] = np.float32(step.median)
            matrix[:, i] = (raw - np.float32(step.mean)) * np.float32(step.inverse)
            if step.flagged:
                matrix[:, len(self.numeric) + flags.index(i)] = absent
        for j, category in enumerate(self.categorical):
            matrix[:, len(self.numeric) + len(flags) + j] = _codes(
                features[category.name], category.vocabulary
            )
        return matrix


def fit_preprocessing(
    fields: tuple[Field, ...], features: Columns, target: Array, task: Task
) -> Preprocessing:
    """Learn medians, scales and vocabularies of rows in memory, as `fit_by_parts` does."""
    return fit_by_parts(fields, lambda names: [{name: features[name] for name in names}], target, task)


def fit_by_parts(fields: tuple[Field, ...], parts: Parts, target: Array, task: Task) -> Preprocessing:
    """Learn medians, scales and vocabularies of rows that come a part at a time, three times.

    A vocabulary's values stand in order of their mean target (shrunk towards the mean of all by 20 rows), so
    that a tree splits codes as it would split the categories (Fisher 1958); of a multiclass target in
    order of frequency. Values in fewer than 10 rows share code 0 with new ones.

    Args:
        parts: training rows.
        target: shape (rows,); a class's index or the value.

    Raises:
        TrainingRefused: a feature is infinite somewhere.
    """
    named = {kind: [one.name for one in fields if (one.type == "string") == kind] for kind in (False, True)}
    numbers, words = learned(named[False], named[True], parts, target)
    return Preprocessing(
        tuple(_numeric(name, found) for name, found in numbers.items()),
        tuple(Categorical(name, _vocabulary(found, target, task)) for name, found in words.items()),
    )


def _numeric(name: str, found: Numbers) -> Numeric:
    if found.infinite is not None:
        raise TrainingRefused(
            f"feature '{name}' is infinite in training row {found.infinite}",
            remedy="let transform give NaN (missing) where it divides by zero or overflows",
        )
    if not found.known:
        return Numeric(name, 0.0, 0.0, 1.0, True)
    median, deviation = found.median, found.deviation
    inverse = 1.0 / deviation if deviation > 1e-12 * max(1.0, abs(median)) else 1.0
    return Numeric(
        name, _single(median), _single(found.mean), _single(inverse), flagged=found.known < found.rows
    )


def _single(value: float) -> float:
    return float(np.float32(value))


def _vocabulary(found: Words, target: Array, task: Task) -> tuple[str, ...]:
    counts, overall = found.counts, summed(target) / len(target)
    means = (found.sums + PRIOR_ROWS * overall) / (counts + PRIOR_ROWS)
    order = -counts if task == "multiclass" else means
    kept = [(value, i) for value, i in found.index.items() if value != "" and counts[i] >= MIN_ROWS_A_VALUE]
    kept = sorted(kept, key=lambda item: (-counts[item[1]], item[0]))[:MAX_VALUES]
    return tuple(value for value, i in sorted(kept, key=lambda item: (order[item[1]], item[0])))


def _codes(values: Array, vocabulary: tuple[str, ...]) -> Array:
    code: Mapping[str, int] = {value: i + 1 for i, value in enumerate(vocabulary)}
    return np.fromiter((code.get(value, 0) for value in values.tolist()), np.float32, len(values))

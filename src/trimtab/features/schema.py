"""The schema of a model's features: what transform answers for no rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trimtab.features.columns import Array, Kind

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True)
class Field:
    """A named column and its kind; features are of kind number or string."""

    name: str
    type: Kind


@dataclass(frozen=True, slots=True)
class Categorical:
    """A categorical feature.

    Attributes:
        vocabulary: values of the training rows; code 0 is a missing or new one, vocabulary[i] has code i + 1.
    """

    name: str
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """What model.py's `build(schema, **params)` is given.

    Attributes:
        numeric: names of numeric features, in the matrix's order.
        categorical: categorical features, whose codes stand after the numeric columns.
        task: binary, multiclass or regression.
        classes: labels in the order of the probabilities' columns; empty for regression.
    """

    numeric: tuple[str, ...]
    categorical: tuple[Categorical, ...]
    task: Task
    classes: tuple[str, ...] = ()


def fields_of(features: Mapping[str, Array]) -> tuple[Field, ...]:
    """Name and kind of each normalised feature column."""
    return tuple(
        Field(name, "string" if values.dtype == object else "number") for name, values in features.items()
    )

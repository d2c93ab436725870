"""Rows of a features table as a network takes them: a row group in, matrix and target out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trimtab.features.columns import Array
from trimtab.features.plan import ServingPlan
from trimtab.steps.arrow_columns import column, columns
from trimtab.steps.featurize import LABEL
from trimtab.steps.fitting.preprocessing import Preprocessing

if TYPE_CHECKING:
    import pyarrow as pa


def columns_read(plan: ServingPlan) -> list[str]:
    """What a network reads of a features table."""
    return [LABEL, *(field.name for field in plan.outputs)]


def taught_by(
    plan: ServingPlan, preprocessing: Preprocessing, scale: float = 1.0, shift: float = 0.0
) -> "Callable[[pa.Table], tuple[Array, Array]]":
    """The matrix and the target of some rows of the table.

    Args:
        scale, shift: of a regression's target, which a network learns with mean 0 and deviation 1.
    """
    kinds = {field.name: field.type for field in plan.outputs}

    def made(table: "pa.Table") -> tuple[Array, Array]:
        label = column(table.column(LABEL), "number")
        target = ((label - shift) / scale).astype(np.float32)
        return preprocessing.matrix(columns(table, kinds)), target

    return made

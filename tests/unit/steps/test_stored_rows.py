"""Blocks of rows that stay where they are stored."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trimtab.features.plan import LabelRule, ServingPlan
from trimtab.features.schema import Field
from trimtab.steps.featurize import GROUP_ROWS
from trimtab.steps.fitting.preprocessing import fit_preprocessing
from trimtab.steps.stored_rows import StoredRows

ROWS = 3 * GROUP_ROWS + 700


class Table:
    """`NumberedRows` in memory."""

    rows = ROWS

    def read(self, first: int, last: int, names: Any) -> pa.Table:
        return pa.table({name: np.arange(first, min(last, ROWS), dtype=float) for name in names})


@pytest.fixture
def rows() -> StoredRows:
    plan = ServingPlan(
        "small", (), ("k",), None, (), "", (Field("x", "number"),), "binary", ("no", "yes"),
        LabelRule("y", None, 0),
    )  # fmt: skip
    return StoredRows(Table(), np.ones(ROWS, bool), None, np.zeros(ROWS), plan, None)  # type: ignore[arg-type]  # as read


def test_each_block_has_its_own_rows_and_their_targets_in_whatever_order_it_is_read(rows: StoredRows) -> None:
    chosen = np.random.default_rng(2).random(ROWS) < 0.3
    chosen[GROUP_ROWS : 2 * GROUP_ROWS] = False  # a block of which nothing is meant
    some = rows.taken(chosen)
    number = np.flatnonzero(chosen).astype(np.float32)
    preprocessing = fit_preprocessing(some.plan.outputs, some.features, number, "regression")
    blocks = some.blocks(preprocessing, number)
    assert len(blocks.counts) == 3
    assert sum(blocks.counts) == len(number)
    for block in (2, 0, 1, 2):
        matrix, target = blocks.read(block)
        first = sum(blocks.counts[:block])
        assert np.array_equal(target, number[first : first + blocks.counts[block]])
        assert np.array_equal(matrix, preprocessing.matrix({"x": target.astype(float)}))

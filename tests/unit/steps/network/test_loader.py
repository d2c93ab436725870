"""The order in which a network sees its rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.xdist_group("torch")


@pytest.fixture(scope="module")
def torch() -> Any:
    import torch

    return torch


def loader(rows: int, batch: int, block: int, mixed: int, seed: int = 7) -> Any:
    import torch

    from trimtab.steps.network.loader import Loader, MatrixBlocks

    x = np.arange(rows, dtype=np.float32)[:, None]
    blocks = MatrixBlocks(x, np.arange(rows), block_rows=block, mixed=mixed)
    return Loader(blocks, batch, seed, torch.device("cpu"))


def seen(batches: Any) -> list[int]:
    rows: list[int] = []
    for x, y in batches:
        assert x[:, 0].tolist() == y.tolist()
        rows += y.int().tolist()
    return rows


sizes = {
    "rows": st.integers(2, 90),
    "batch": st.integers(2, 40),
    "block": st.integers(1, 30),
    "mixed": st.integers(1, 5),
}


@given(**sizes)
@settings(deadline=None, max_examples=60)
def test_an_epoch_has_each_row_once_but_for_one_that_would_be_alone(
    rows: int, batch: int, block: int, mixed: int
) -> None:
    found = seen(loader(rows, batch, block, mixed).batches(0))
    left_out = int(rows % batch == 1)
    assert len(found) == len(set(found)) == rows - left_out


@given(**sizes, first=st.integers(0, 50))
@settings(deadline=None, max_examples=60)
def test_from_any_batch_on_come_the_very_rows_that_come_there(
    rows: int, batch: int, block: int, mixed: int, first: int
) -> None:
    own = loader(rows, batch, block, mixed)
    whole = [y.tolist() for _, y in own.batches(3)]
    first = min(first, len(whole))
    assert [y.tolist() for _, y in own.batches(3, first)] == whole[first:]


def test_the_order_is_that_of_seed_and_epoch(torch: Any) -> None:
    first = loader(500, 50, 10, 8)
    assert seen(first.batches(0)) == seen(loader(500, 50, 10, 8).batches(0))
    orders = [
        seen(first.batches(0)),
        seen(first.batches(1)),
        seen(loader(500, 50, 10, 8, seed=8).batches(0)),
        list(range(500)),
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_only_the_groups_that_are_needed_are_read(torch: Any) -> None:
    own = loader(400, 10, 10, 4)
    read: list[int] = []

    class Counted:
        counts, mixed = own.blocks.counts, own.blocks.mixed

        def read(self, block: int) -> Any:
            read.append(block)
            return own.blocks.read(block)

    from trimtab.steps.network.loader import Loader

    counted = Loader(Counted(), 10, 7, torch.device("cpu"))
    assert len(list(counted.batches(0, 36))) == 4
    assert len(read) == 4

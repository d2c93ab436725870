"""The order in which a network sees its rows."""

import contextlib
import threading
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


class Watched:
    """Blocks that say when each begins to be read."""

    def __init__(self, blocks: Any) -> None:
        self.counts, self.mixed = blocks.counts, blocks.mixed
        self.begun = [threading.Event() for _ in self.counts]
        self._blocks = blocks

    def read(self, block: int) -> Any:
        self.begun[block].set()
        return self._blocks.read(block)


def test_the_next_group_is_read_while_one_is_learned_from_and_no_further_one(torch: Any) -> None:
    from trimtab.steps.network.loader import Loader

    watched = Watched(loader(400, 10, 10, 4).blocks)
    own = Loader(watched, 10, 7, torch.device("cpu"))
    groups = [group.blocks for group in own._groups(0)]
    with contextlib.closing(own.batches(0)) as batches:
        next(batches)  # of the first group, which nobody has learned from to its end
        assert all(watched.begun[block].wait(30) for block in groups[1])
        assert not any(watched.begun[block].is_set() for group in groups[2:] for block in group)


def test_what_goes_to_a_gpu_is_pinned_a_group_at_a_time_and_copied_beside_what_is_computed(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page-locked memory is the driver's to give: who has no GPU sees here that it is asked for, and how it is sent."""
    from trimtab.steps.network.loader import Loader

    sent: list[tuple[int, Any, bool]] = []

    class Pinned:
        def __init__(self, tensor: Any) -> None:
            self.tensor = tensor

        def to(self, device: Any, non_blocking: bool = False) -> Any:
            sent.append((len(self.tensor), device, non_blocking))
            return self.tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: Pinned(tensor))
    gpu = torch.device("cuda")
    cpu = loader(95, 10, 10, 4)
    batches = list(Loader(cpu.blocks, 10, 7, gpu).batches(0))
    assert seen(batches) == seen(cpu.batches(0))
    rows = [group.rows for group in cpu._groups(0)]
    assert sent == [(count, gpu, True) for count in rows for _ in ("matrix", "target")]

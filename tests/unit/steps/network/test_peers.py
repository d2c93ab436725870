"""How the processes that learn one network share its batches."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("torch")


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    import torch

    return torch


def shares(rows: int, world: int) -> list[tuple[list[int], float]]:
    from trimtab.steps.network.peers import Peers

    found = [Peers(rank, world).share(rows) for rank in range(world)]
    return [(list(range(rows))[part], weight) for part, weight in found]


@given(world=st.integers(1, 9), rows=st.integers(1, 300))
def test_every_row_of_a_batch_counts_as_much_as_if_one_process_had_it(world: int, rows: int) -> None:
    counted = dict.fromkeys(range(rows), 0.0)
    for part, weight in shares(rows, world):
        for row in part:
            counted[row] += weight / len(part)
    assert list(counted.values()) == pytest.approx([1 / rows] * rows)


@given(world=st.integers(1, 9), rows=st.integers(1, 300))
def test_no_share_is_empty_or_a_row_alone_and_those_of_a_batch_that_suffices_are_disjoint(
    world: int, rows: int
) -> None:
    parts = [part for part, _ in shares(rows, world)]
    assert all(len(part) >= min(2, rows) for part in parts)
    if rows >= 2 * world:
        assert sorted(row for part in parts for row in part) == list(range(rows))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_draws_of_rank_0_are_those_of_a_process_alone_and_every_other_has_its_own() -> None:
    from trimtab.steps.network.peers import Peers

    seeds = [Peers(rank, 4).seed(7) for rank in range(4)]
    assert seeds[0] == 7 == Peers().seed(7)
    assert len(set(seeds)) == 4


def test_a_worker_that_was_given_a_gpu_which_is_not_there_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else NCCL would, as if a peer were gone: all would be started anew, and again."""
    from trimtab.steps.network.peers import met

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with (
        pytest.raises(SurroundingsFailed, match="worker 1 was given a GPU, and torch finds none there"),
        met(1, 2, f"file://{tmp_path}/meeting", "cuda"),
    ):
        pass

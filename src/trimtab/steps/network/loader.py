"""Rows for the loop: blocks read in a seeded order, mixed, and cut into batches; any batch can be the first.

An epoch's order depends on seed and epoch alone: blocks are permuted, and so many at a time are read together and
their rows permuted. Batch k is rows [k·b, (k+1)·b) of that stream, so a
training that was cut off at batch k reads only what comes from there on. While a group is learned from, the next
one is read by a thread: memory holds three groups at most, whatever the table's size.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch

from trimtab.features.columns import Array
from trimtab.ports.blocks import Blocks

MATRIX_BLOCK_ROWS = 1024
Part: TypeAlias = tuple[Array, Array]
"""A block's matrix and target."""
Read: TypeAlias = Callable[[Blocks, Sequence[int]], Generator[Part, None, None]]
"""Blocks by number, in the order in which they are asked for."""


def one_by_one(blocks: Blocks, order: Sequence[int]) -> Generator[Part, None, None]:
    """Each by this process, when it is asked for."""
    for block in order:
        yield blocks.read(block)


@dataclass(frozen=True, slots=True)
class MatrixBlocks:
    """`Blocks` of a matrix in memory.

    Attributes:
        x: float32, shape (rows, columns).
        y: shape (rows,).
    """

    x: Array
    y: Array
    block_rows: int = MATRIX_BLOCK_ROWS
    mixed: int = 64

    @property
    def counts(self) -> Sequence[int]:
        return [min(self.block_rows, len(self.y) - start) for start in range(0, len(self.y), self.block_rows)]

    def read(self, block: int) -> Part:
        return self.matrix(block), self.target(block)

    def matrix(self, block: int) -> Array:
        return self.x[self._rows(block)]

    def target(self, block: int) -> Array:
        return self.y[self._rows(block)]

    def _rows(self, block: int) -> slice:
        return slice(block * self.block_rows, (block + 1) * self.block_rows)


@dataclass(frozen=True, slots=True)
class Loader:
    """Batches of an epoch.

    Attributes:
        device: where batches lie. A group is pinned and copied as a whole where that is a GPU.
        read: is told of all blocks that an epoch still needs, so that it can read ahead.
    """

    blocks: Blocks
    batch_rows: int
    seed: int
    device: torch.device
    read: Read = one_by_one

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(sum(self.blocks.counts), self.batch_rows)
        return max(1, whole + (rest > 1 or whole == 0))  # one row alone has no variance for a batch norm

    def batches(self, epoch: int, first: int = 0) -> Generator[tuple[torch.Tensor, torch.Tensor], None, None]:
        """Matrix and target, shapes (batch, columns) and (batch,), both float32, from batch `first` on."""
        groups = self._groups(epoch)
        start, skipped = first * self.batch_rows, 0
        while groups and skipped + groups[0].rows <= start:
            skipped += groups.pop(0).rows
        left = self.steps - first
        rest: list[tuple[torch.Tensor, torch.Tensor]] = []
        order = [block for group in groups for block in group.blocks]
        with (
            closing(self.read(self.blocks, order)) as parts,
            ThreadPoolExecutor(1, thread_name_prefix="loader") as pool,
        ):
            coming = [pool.submit(self._mixed, group, parts) for group in groups[:1]]
            for number in range(len(groups)):
                x, y = coming.pop().result()
                coming = [pool.submit(self._mixed, group, parts) for group in groups[number + 1 : number + 2]]
                at = start - skipped if number == 0 else 0
                while at < len(y) and left:
                    need = self.batch_rows - sum(len(part[1]) for part in rest)
                    rest.append((x[at : at + need], y[at : at + need]))
                    at += need
                    if sum(len(part[1]) for part in rest) == self.batch_rows:
                        yield _joined(rest)
                        rest, left = [], left - 1
            if rest and left:
                yield _joined(rest)

    def _groups(self, epoch: int) -> list["_Group"]:
        """The blocks of an epoch, so many at a time."""
        draw = np.random.default_rng([self.seed, epoch])
        order = draw.permutation(len(self.blocks.counts)).tolist()
        counts, mixed = self.blocks.counts, self.blocks.mixed
        chosen = [tuple(order[at : at + mixed]) for at in range(0, len(order), mixed)]
        return [
            _Group(group, sum(counts[block] for block in group), (self.seed, epoch, group[0]))
            for group in chosen
        ]

    def _mixed(self, group: "_Group", parts: Iterator[Part]) -> tuple[torch.Tensor, torch.Tensor]:
        places = np.empty(group.rows, np.int64)
        places[np.random.default_rng(group.seed).permutation(group.rows)] = np.arange(group.rows)
        x, y, at = np.empty((0, 0), np.float32), np.empty(group.rows, np.float32), 0
        for matrix, target in islice(parts, len(group.blocks)):
            if not at:
                x = np.empty((group.rows, matrix.shape[1]), np.float32)
            to = places[at : at + len(target)]
            _as_one(x)[to], y[to] = _as_one(np.ascontiguousarray(matrix, np.float32)), target
            at += len(target)
        return self._placed(x), self._placed(y)

    def _placed(self, values: Array) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class _Group:
    blocks: tuple[int, ...]
    rows: int
    seed: tuple[int, ...]


def in_order(
    blocks: Blocks,
    batch_rows: int,
    device: torch.device,
    rank: int = 0,
    world: int = 1,
    read: Read = one_by_one,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Every row once, in the table's order: for a loss on validation rows. Of several, each takes its own blocks."""
    for x, y in read(blocks, range(rank, len(blocks.counts), world)):
        for at in range(0, len(y), batch_rows):
            rows = slice(at, at + batch_rows)
            yield (
                torch.from_numpy(x[rows]).to(device),
                torch.from_numpy(y[rows].astype(np.float32, copy=False)).to(device),
            )


def _as_one(matrix: Array) -> Array:
    """The same memory with a row as one value, shape (rows,): numpy moves it as a whole, in half the time."""
    return matrix.view(np.dtype((np.void, matrix.strides[0])))[:, 0]


def _joined(parts: list[tuple[Any, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

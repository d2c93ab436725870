"""Rows in blocks that can be read by number, in any order: what a network learns from."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trimtab.features.columns import Array


class Blocks(Protocol):
    @property
    def counts(self) -> Sequence[int]:
        """Rows of each block."""

    @property
    def mixed(self) -> int:
        """Blocks that are read together, so that their rows are mixed."""

    def read(self, block: int) -> "tuple[Array, Array]":
        """Matrix, float32, shape (rows, columns), and target, shape (rows,). Called from one thread at a time.

        Raises SurroundingsFailed when the block cannot be read.
        """

    @property
    def matrix(self) -> "Callable[[int], Array]":
        """What reads a block's matrix in any process: pickle takes it. Raises as `read` does."""

    def target(self, block: int) -> "Array":
        """Shape (rows,)."""

"""How much rows of one hour, or one day, say the same thing.

The design effect (Kish 1965) is the variance of a column's mean under blocks over that under independent rows: a
window of n rows weighs as n / effect independent ones. Numbers enter by their rank in the reference, categories
by the indicators of the 20 heaviest, whose variances are added.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.drift.tally import Tally
from trimtab.sketch.pair import Floats

HEAVIEST: Final = 20


@dataclass(frozen=True, slots=True)
class BlockSums:
    """A column's scores, of mean 0 over the reference, summed over blocks of rows.

    Attributes:
        rows: rows a block, shape (blocks,).
        sums: Σ scores, shape (blocks, dimensions).
        alone: Σ of the squared scores of all rows: the variance that `sums` would have were rows independent.
    """

    rows: Floats
    sums: Floats
    alone: float

    def design_effect(self) -> float:
        """Rows that weigh as one; ≥ 1."""
        held = int((self.rows > 0).sum())
        if self.alone == 0 or held < 2:
            return 1.0
        return max(1.0, float(np.sum(self.sums**2)) * held / (held - 1) / self.alone)

    def autocorrelation(self) -> float:
        """Correlation of neighbouring blocks' means; 0 where fewer than three neighbours exist."""
        held = self.rows > 0
        means = np.zeros_like(self.sums)
        means[held] = self.sums[held] / self.rows[held, None]
        means[held] -= means[held].mean(axis=0)
        neighbours = held[1:] & held[:-1]
        if neighbours.sum() < 3:
            return 0.0
        here, there = means[:-1][neighbours], means[1:][neighbours]
        spread = float(np.sqrt(np.sum(here**2) * np.sum(there**2)))
        return float(np.sum(here * there)) / spread if spread > 0 else 0.0


def block_sums(held: Tally, block: NDArray[np.int64], count: int) -> BlockSums:
    """The sums of a column's present rows.

    Args:
        block: each row's block in [0, count), negative where it is in none, shape (rows,).
    """
    used = (held.cell < held.cells) & (block >= 0)
    cell, block = held.cell[used], block[used]
    rows = np.bincount(block, minlength=count).astype(np.float64)
    total = np.bincount(cell, minlength=held.cells).astype(np.float64)
    if not len(cell):
        return BlockSums(rows, np.zeros((count, 1)), 0.0)
    shares = total / total.sum()
    if not held.labels:
        score = np.cumsum(shares) - shares / 2
        score -= shares @ score
        sums = np.bincount(block, score[cell], minlength=count).astype(np.float64)[:, None]
        return BlockSums(rows, sums, float(total @ score**2))
    kept = np.argsort(-total, kind="stable")[:HEAVIEST]
    place = np.full(held.cells, len(kept))
    place[kept] = np.arange(len(kept))
    table = np.bincount(block * (len(kept) + 1) + place[cell], minlength=count * (len(kept) + 1))
    sums = table.reshape(count, -1)[:, :-1] - rows[:, None] * shares[kept]
    return BlockSums(rows, sums, float(np.sum(total[kept] * (1 - shares[kept]))))

"""A p-value where no law is known: exchange whole blocks between the two sides (Good 2005, chapter 3).

Rows of one block (an hour, a day) move together, so their dependence stays in every permutation. The p-value is
(1 + permutations as large as what was seen) / (1 + permutations) (Phipson & Smyth 2010), never 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.drift.base import Measure, Measured, undefined
from trimtab.sketch import NumberSketch, Pair, merge

PERMUTATIONS: Final = 999
FEWEST_BLOCKS: Final = 4


def permuted_p_value(
    measure: Measure,
    reference: Sequence[NumberSketch],
    current: Sequence[NumberSketch],
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Measured:
    """A measure of numbers with the p-value of its value under exchanged blocks.

    Args:
        reference, current: one sketch a block, all on one grid.
        seed: of the permutations: the answer is a function of the arguments.

    Returns:
        The measure's answer with `p_value`; undefined with fewer than four blocks on a side.

    Raises:
        GridsDiffer: the blocks were not counted on one grid.
    """
    if min(len(reference), len(current)) < FEWEST_BLOCKS:
        return undefined(f"fewer than {FEWEST_BLOCKS} blocks on a side")
    blocks = [*reference, *current]
    whole = Pair.of(merge(reference), merge(current))
    seen = measure.of(whole)
    if seen.value is None:
        return seen
    counts = _by_block(blocks)
    total, rng = counts.sum(axis=0), np.random.default_rng(seed)
    as_large = 0
    for _ in range(permutations):
        drawn = counts[rng.permutation(len(blocks))[: len(reference)]].sum(axis=0)
        value = measure.of(replace(whole, reference=drawn, current=total - drawn)).value
        as_large += value is not None and value >= seen.value
    return replace(seen, p_value=(1 + as_large) / (1 + permutations))


def _by_block(blocks: Sequence[NumberSketch]) -> NDArray[np.float64]:
    """Rows by block and cell, on the cells that a Pair of them all has, shape (blocks, cells)."""
    whole = merge(blocks)
    return np.array([Pair.of(whole, block).current for block in blocks])

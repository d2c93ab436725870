"""Values clamped to the reference's P0.5 to P99.5: else one outlier could be the whole distance."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.drift.base import Measured, too_few, undefined
from trimtab.sketch import Pair
from trimtab.sketch.pair import Floats

TAIL: Final = 0.005


@dataclass(frozen=True, slots=True)
class Clamped:
    """Shares at positions.

    Attributes:
        at: ascending positions in spreads from the reference's median, finite, shape (cells,).
        reference, current: shares at each, shape (cells,), sum 1.
        tail: share of current rows beyond the reference's P0.5 to P99.5.
    """

    at: Floats
    reference: Floats
    current: Floats
    tail: float

    def gaps(self) -> tuple[Floats, Floats]:
        """F − G over each stretch between neighbouring positions, and its width; shape (cells − 1,) each."""
        return np.cumsum(self.current - self.reference)[:-1], np.diff(self.at)


def clamped(pair: Pair) -> Clamped | Measured:
    """The pair clamped; undefined with too few rows, or where the reference's own tails are infinite."""
    if few := too_few(pair):
        return few
    q, p = pair.reference / pair.reference_rows, pair.current / pair.current_rows
    at = pair.middle
    below = np.cumsum(q)
    low, high = at[np.searchsorted(below, TAIL)], at[np.searchsorted(below, 1 - TAIL)]
    if not (np.isfinite(low) and np.isfinite(high)):
        return undefined("more than 0.5 % of the reference is infinite")
    return Clamped(np.clip(at, low, high), q, p, float(p[(at < low) | (at > high)].sum()))

"""What a measure says, and what it says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trimtab.sketch import Pair

FEWEST_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """How far a column moved, by one measure.

    Attributes:
        value: ≥ 0, in the measure's unit; None where it is undefined.
        p_value: probability of a value as large with no drift; None where none can be given.
        effect: a signed or standardised size beside the value, where the measure has one.
        error: the sketch's own: the true value lies in [value, value + error].
        tail: share of current rows that the value does not see (clamped tails), where there is such a share.
        reason: why the value is undefined.
    """

    value: float | None
    p_value: float | None = None
    effect: float | None = None
    error: float = 0.0
    tail: float | None = None
    reason: str | None = None


def undefined(reason: str) -> Measured:
    """No value, and why: never 0 for want of rows."""
    return Measured(value=None, reason=reason)


def too_few(pair: Pair, fewest: float = FEWEST_ROWS) -> Measured | None:
    """Undefined where either side holds fewer rows than a measure needs."""
    rows = min(pair.reference_rows, pair.current_rows)
    return undefined(f"{rows:.0f} rows, fewer than {fewest:.0f}") if rows < fewest else None


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure in the registry.

    Attributes:
        name: as in settings, reports and metrics.
        of: from a pair of sketches to what is measured.
        floor: the least threshold: smaller values are of no practical matter whatever the statistics.
        because: the reason for the floor.
        unit: of the value.
        symmetric: whether exchanging the sides keeps the value.
    """

    name: str
    of: Callable[[Pair], Measured]
    floor: float
    because: str
    unit: str
    symmetric: bool = True

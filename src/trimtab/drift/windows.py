"""Cutting time into disjoint windows."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
LENGTHS_S: Final = (HOUR_S, 6 * HOUR_S, DAY_S, 7 * DAY_S)
FEWEST_WINDOWS: Final = 8
NO_TIME: Final = np.iinfo(np.int64).min  # what NaT is, seen as an integer


@dataclass(frozen=True, slots=True)
class Windows:
    """Rows cut into the windows that hold enough of them.

    Attributes:
        block: each row's window in [0, count), −1 where it is in none, shape (rows,).
        count: windows.
        median: rows of the median window that holds any.
    """

    block: NDArray[np.int64]
    count: int
    median: float


def seconds(times: NDArray[Any]) -> NDArray[np.int64]:
    """Datetimes as whole seconds since the epoch, shape (rows,); NaT is NO_TIME."""
    held: NDArray[np.int64] = np.asarray(times).astype("datetime64[s]").view(np.int64)
    return held


def blocks(times_s: NDArray[np.int64], length_s: int) -> tuple[NDArray[np.int64], int]:
    """Each row's block of time, −1 where it has no time, counted from the first; and how many there are."""
    known = times_s != NO_TIME
    start = int(times_s[known].min(initial=np.iinfo(np.int64).max))
    index = np.where(known, (times_s - start) // length_s, -1)
    return index, int(index.max(initial=-1)) + 1


def cut(times_s: NDArray[np.int64], length_s: int) -> Windows:
    """Disjoint windows from the first row on; those with under half the median's rows (the ends) are left out."""
    index, count = blocks(times_s, length_s)
    rows = np.bincount(index[index >= 0], minlength=count)
    if not rows.any():
        return Windows(np.full(len(times_s), -1), 0, 0.0)
    median = float(np.median(rows[rows > 0]))
    kept = np.flatnonzero(rows >= max(1.0, median / 2))
    number = np.full(count + 1, -1)
    number[kept] = np.arange(len(kept))
    return Windows(number[index], len(kept), median)


def length_name(length_s: int) -> str:
    """A length as a person writes it.

    >>> length_name(3600), length_name(604800), length_name(90)
    ('1h', '7d', '90s')
    """
    for unit, size in (("d", DAY_S), ("h", HOUR_S)):
        if length_s % size == 0:
            return f"{length_s // size}{unit}"
    return f"{length_s}s"

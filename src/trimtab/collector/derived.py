"""Columns computed from a time column and kept: only the rows that are new are computed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Compute = Callable[[NDArray[np.datetime64]], NDArray[np.int64]]
MOST_KEPT = 16


class Derived:
    """By key, what a function of time gave for the first rows of a column that grows at its end.

    Local days and blocks cost a look-up of the time zone's offset; a year of predictions asked about every
    day would pay it 275 times over.
    """

    def __init__(self) -> None:
        self._held: dict[object, NDArray[np.int64]] = {}

    def column(self, key: object, times_us: Times, compute: Compute) -> NDArray[np.int64]:
        """compute(times), shape (rows,)."""
        held = self._held.pop(key, np.empty(0, np.int64))
        fresh = times_us[len(held) :]
        if len(fresh):
            held = np.concatenate([held, compute(fresh.astype("datetime64[us]")).astype(np.int64)])
        if len(self._held) >= MOST_KEPT:
            del self._held[next(iter(self._held))]
        self._held[key] = held
        return held

    def clear(self) -> None:
        """Rows that were computed have changed."""
        self._held.clear()

"""What is learned of columns that come a part at a time: exact, and the same bits however they are cut.

Sums are taken over the same 65,536 rows whatever the parts. A median is found by its bits, from the highest down
(radix selection): three passes over the values, and 16 KiB a column, whatever the rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from trimtab.features.columns import Array, Columns, take

Parts = Callable[[Sequence[str]], Iterable[Columns]]
"""The named columns, all rows in order, as often as it is asked."""

SUMMED_ROWS: Final = 65_536
DIGITS: Final = ((21, 11), (10, 11), (0, 10))
"""Shift and width of each digit of a float32's 32 bits."""


class Numbers:
    """Of one column of float32: rows, known values, median, mean and deviation with the median in place of NaN.

    Attributes:
        rows, known: all rows, and those that are not NaN.
        infinite: the first row with an infinite value; None for none.
    """

    def __init__(self) -> None:
        self.rows = self.known = 0
        self.infinite: int | None = None
        self._total = self._squares = 0.0
        self._ranks, self._keys = [0, 0], [0, 0]
        self._counts = [np.zeros(0, np.int64)] * 2

    def add(self, values: Array, turn: int) -> None:
        """Rows of pass `turn`, from 0."""
        if self.infinite is not None:
            return
        single = values.astype(np.float32)
        known = single[~np.isnan(single)]
        if turn == 0:
            if np.isinf(known).any():
                self.infinite = self.rows + int(np.flatnonzero(np.isinf(single))[0])
                return
            self.rows, self.known = self.rows + len(single), self.known + len(known)
            self._total += float(known.sum(dtype=np.float64))
        elif turn == 1:
            apart = known.astype(np.float64) - self._total / max(1, self.known)
            self._squares += float(np.square(apart).sum())
        bits = known.view(np.uint32)
        keys = np.where(bits >> 31 == 1, ~bits, bits ^ 0x80000000)  # in the order of the values
        shift, width = DIGITS[turn]
        for place in range(2):
            if place and turn and self._keys[0] == self._keys[1]:
                self._counts[1] = self._counts[0]
                continue
            here = keys if turn == 0 else keys[keys >> (shift + width) == self._keys[place]]
            found = np.bincount(here >> shift & ((1 << width) - 1), minlength=1 << width)
            self._counts[place] = self._counts[place] + found if len(self._counts[place]) else found

    def end(self, turn: int) -> None:
        """Pass `turn` has seen all rows."""
        if turn == 0:
            self._ranks = [(self.known - 1) // 2, self.known // 2]
        for place in range(2) if self.known and self.infinite is None else ():
            upto = np.cumsum(self._counts[place])
            digit = int(np.searchsorted(upto, self._ranks[place], side="right"))
            self._ranks[place] -= int(upto[digit - 1]) if digit else 0
            self._keys[place] = self._keys[place] << DIGITS[turn][1] | digit
        self._counts = [np.zeros(0, np.int64)] * 2

    @property
    def median(self) -> float:
        keys = np.array(self._keys, np.uint32)
        bits = np.where(keys >> 31 == 1, keys ^ 0x80000000, ~keys).astype(np.uint32)
        return float(bits.view(np.float32).astype(np.float64).mean()) + 0.0  # never -0.0

    @property
    def mean(self) -> float:
        return (self._total + (self.rows - self.known) * self.median) / self.rows

    @property
    def deviation(self) -> float:
        apart = self.known * (self._total / self.known - self.mean) ** 2
        missing = (self.rows - self.known) * (self.median - self.mean) ** 2
        return float(np.sqrt((self._squares + apart + missing) / self.rows))


class Words:
    """Of one column of strings: rows and sum of the target by value, in the order of first appearance."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.counts = np.zeros(0, np.int64)
        self.sums = np.zeros(0)

    def add(self, values: Array, target: Array) -> None:
        index = self.index
        codes = np.fromiter(
            (index.setdefault(value, len(index)) for value in values.tolist()), np.int64, len(values)
        )
        new = len(index) - len(self.counts)
        self.counts = np.pad(self.counts, (0, new)) + np.bincount(codes, minlength=len(index))
        self.sums = np.pad(self.sums, (0, new)) + np.bincount(codes, target, minlength=len(index))


def learned(
    numbers: Sequence[str], words: Sequence[str], parts: Parts, target: Array
) -> tuple[dict[str, Numbers], dict[str, Words]]:
    """What all rows tell of each column.

    Args:
        target: shape (rows,).
    """
    of_numbers, of_words = {name: Numbers() for name in numbers}, {name: Words() for name in words}
    for turn in range(len(DIGITS)):
        asked = [*numbers, *(words if turn == 0 else ())]
        if not asked:
            continue
        at = 0
        for part in recut(parts(asked), SUMMED_ROWS):
            rows = len(next(iter(part.values())))
            for name, one in of_numbers.items():
                one.add(part[name], turn)
            for name, held in of_words.items() if turn == 0 else ():
                held.add(part[name], target[at : at + rows])
            at += rows
        for one in of_numbers.values():
            one.end(turn)
    return of_numbers, of_words


def summed(values: Array) -> float:
    """The sum of a column in memory, as that of one in parts."""
    return float(sum(values[at : at + SUMMED_ROWS].sum() for at in range(0, len(values), SUMMED_ROWS)))


def recut(parts: Iterable[Columns], rows: int) -> Iterator[Columns]:
    """The same rows, so many at a time; the last part may have fewer."""
    held: list[Columns] = []
    count = 0
    for part in parts:
        at, length = 0, len(next(iter(part.values())))
        while at < length:
            taken = min(rows - count, length - at)
            held.append(take(part, slice(at, at + taken)))
            at, count = at + taken, count + taken
            if count == rows:
                yield _joined(held)
                held, count = [], 0
    if held:
        yield _joined(held)


def _joined(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

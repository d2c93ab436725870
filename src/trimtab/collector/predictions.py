"""The predictions of one revision: one an example, packed in columns.

When a revision predicts an example again (a retry, a second look), the earliest prediction stands, and among
equals the smallest: the answer does not depend on which came in first.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.collector.derived import Compute, Derived

NONE = -1
NOWHERE = array("i", [NONE])


class Predictions:
    """Columns over predictions, and each example's place in them."""

    def __init__(self) -> None:
        self._example = array("i")
        self._time_us = array("q")
        self._value = array("d")
        self._place = array("i")
        self._derived = Derived()
        self.repeated = 0

    def __len__(self) -> int:
        return len(self._example)

    def add(self, examples: Sequence[int], times_us: Sequence[int], values: Sequence[float | None]) -> None:
        """Take the predictions of one request, shape (rows,) each; None is not finite."""
        if not examples:
            return
        place = self._place
        if (short := max(examples) + 1 - len(place)) > 0:
            place.extend(NOWHERE * (short + len(place) // 8))
        numbers = [np.nan if value is None else value for value in values]
        if len(set(examples)) < len(examples) or any(place[example] != NONE for example in examples):
            for row in zip(examples, times_us, numbers, strict=True):
                self._add_one(*row)
            return
        for position, example in enumerate(examples, len(self._example)):
            place[example] = position
        self._example.extend(examples)
        self._time_us.extend(times_us)
        self._value.extend(numbers)

    def _add_one(self, example: int, time_us: int, value: float) -> None:
        held = self._place[example]
        if held == NONE:
            self._place[example] = len(self._example)
            self._example.append(example)
            self._time_us.append(time_us)
            self._value.append(value)
            return
        self.repeated += 1
        if _rank(time_us, value) < _rank(self._time_us[held], self._value[held]):
            self._time_us[held] = time_us
            self._value[held] = value
            self._derived.clear()

    @property
    def example(self) -> NDArray[np.int32]:
        """A copy of the example numbers, shape (predictions,)."""
        return np.array(self._example, dtype=np.int32)

    @property
    def time_us(self) -> NDArray[np.int64]:
        """A copy of the event times, shape (predictions,)."""
        return np.array(self._time_us, dtype=np.int64)

    @property
    def value(self) -> NDArray[np.float64]:
        """A copy of the predictions, NaN where not finite, shape (predictions,)."""
        return np.array(self._value, dtype=np.float64)

    def derived(self, key: object, compute: Compute) -> NDArray[np.int64]:
        """A function of the event times, shape (predictions,)."""
        return self._derived.column(key, self.time_us, compute)

    def places(self, examples: NDArray[np.int32]) -> NDArray[np.int32]:
        """Each example's place in the columns, NONE where this revision did not predict it."""
        place = np.array(self._place, dtype=np.int32)
        if not len(place):
            return np.full(len(examples), NONE, np.int32)
        found = place[np.minimum(examples, len(place) - 1)]
        return np.where(examples < len(place), found, np.int32(NONE))

    def forget(self, before_us: int, renumbered: NDArray[np.int32]) -> None:
        """Drop what is older; `renumbered` maps old example numbers to new ones, -1 where dropped."""
        example = renumbered[self.example]
        keep = (self.time_us >= before_us) & (example != NONE)
        example = example[keep]
        self._time_us = array("q", self.time_us[keep].tobytes())
        self._value = array("d", self.value[keep].tobytes())
        self._example = array("i", example.tobytes())
        place = np.full(int(example.max()) + 1 if len(example) else 0, NONE, np.int32)
        place[example] = np.arange(len(example), dtype=np.int32)
        self._place = array("i", place.tobytes())
        self._derived.clear()


def _rank(time_us: int, value: float) -> tuple[int, bool, float]:
    """Order of repeated predictions: NaN, which compares with nothing, is the last among equals."""
    return time_us, value != value, value

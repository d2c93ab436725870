"""The examples that were predicted or labelled, whatever the revision: id → number, event time, label.

An example's time is the earliest that any prediction (or its label) gives; its label is the one known first,
and among equals the smallest: both are independent of the order of arrival. A label may come before the
prediction that it belongs to, and waits here.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.collector.derived import Compute, Derived

NEVER_US = np.iinfo(np.int64).max
NO_TIME = array("q", [NEVER_US])
NO_LABEL = array("d", [np.nan])


class Examples:
    """Columns over example numbers; grows by one row an unseen id."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._time_us = array("q")
        self._label = array("d")
        self._known_us = array("q")
        self._derived = Derived()
        self.labels = 0
        self.repeated_labels = 0
        self.conflicting_labels = 0

    def __len__(self) -> int:
        return len(self._time_us)

    def numbers(self, ids: Sequence[str], times_us: Sequence[int]) -> list[int]:
        """The numbers of predicted examples, shape (rows,)."""
        found = list(map(self._number.get, ids))
        if found.count(None) == len(set(ids)) == len(ids):
            return self._add_all(ids, times_us)
        return [self._placed(name, time_us) for name, time_us in zip(ids, times_us, strict=True)]

    def _add_all(self, ids: Sequence[str], times_us: Sequence[int]) -> list[int]:
        """Examples that are all new, none twice: the usual case, in bulk."""
        numbers = list(range(len(self._time_us), len(self._time_us) + len(ids)))
        self._number.update(zip(ids, numbers, strict=True))
        self._time_us.extend(times_us)
        self._label.extend(NO_LABEL * len(ids))
        self._known_us.extend(NO_TIME * len(ids))
        return numbers

    def _placed(self, name: str, time_us: int) -> int:
        number = self._number.get(name)
        if number is None:
            return self._add_all([name], [time_us])[0]
        if time_us < self._time_us[number]:
            self._time_us[number] = time_us
            self._derived.clear()
        return number

    def label(self, name: str, label: float, known_us: int, time_us: int = NEVER_US) -> None:
        """Take one label; `time_us` places an example that was never predicted here."""
        number = self._placed(name, time_us)
        held = (self._known_us[number], self._label[number])
        if held[0] == NEVER_US:
            self.labels += 1
        elif held[1] == label:
            self.repeated_labels += 1
        else:
            self.conflicting_labels += 1
        if (known_us, label) < held or held[0] == NEVER_US:
            self._known_us[number] = known_us
            self._label[number] = label

    @property
    def time_us(self) -> NDArray[np.int64]:
        """A copy of the event times, NEVER_US where only a label came, shape (examples,)."""
        return np.array(self._time_us, dtype=np.int64)

    @property
    def label_value(self) -> NDArray[np.float64]:
        """A copy of the labels, NaN where none came, shape (examples,)."""
        return np.array(self._label, dtype=np.float64)

    @property
    def known_us(self) -> NDArray[np.int64]:
        """A copy of the times at which labels became known, NEVER_US where none came, shape (examples,)."""
        return np.array(self._known_us, dtype=np.int64)

    def derived(self, key: object, compute: Compute) -> NDArray[np.int64]:
        """A function of the event times, shape (examples,); of the epoch where an example has none."""
        times = self.time_us
        return self._derived.column(key, np.where(times == NEVER_US, 0, times), compute)

    def names(self) -> list[str]:
        """Ids by number."""
        return list(self._number)

    def forget(self, before_us: int) -> NDArray[np.int32]:
        """Drop examples whose time and label both lie before; returns old number → new, -1 where dropped."""
        known = np.where(self.known_us == NEVER_US, -1, self.known_us)
        placed = np.where(self.time_us == NEVER_US, -1, self.time_us)
        keep = np.maximum(known, placed) >= before_us
        renumbered = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
        kept = [name for name, stays in zip(self._number, keep.tolist(), strict=True) if stays]
        self._number = {name: number for number, name in enumerate(kept)}
        self._time_us = array("q", self.time_us[keep].tobytes())
        self._label = array("d", self.label_value[keep].tobytes())
        self._known_us = array("q", self.known_us[keep].tobytes())
        self._derived.clear()
        return renumbered

"""Climatology: the rate anyone could have named beforehand, by time of day over the last mature fortnight.

A model's loss follows the weather of its days; its loss beside climatology's says how much it still knows.
For a row of local day d in slot h (four hours of local time), the forecast is the positive rate of slot h
over the 14 days that were mature when day d began, drawn towards the rate of all slots by 20 rows' weight.
Fewer than 7 such days with rows: no forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.quality.blocks import Times, local_days, local_hours
from trimtab.quality.row_loss import Array

SLOT_HOURS = 4
SLOTS = 24 // SLOT_HOURS
TRAILING_DAYS = 14
LEAST_DAYS = 7
SHRINKAGE_ROWS = 20.0


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """Labelled rows and positives by local day and slot.

    Attributes:
        first_day: number of the first local day, counted from 1970-01-01.
        rows, positives: shape (days, 6).
    """

    first_day: int
    rows: NDArray[np.float64]
    positives: NDArray[np.float64]

    @classmethod
    def of(cls, times: Times, labels: Array, zone: str = "UTC", cut_hour: int = 4) -> SlotCounts:
        """From rows with a label; NaN labels are left out."""
        held = np.isfinite(labels)
        if not held.any():
            return cls(0, np.zeros((0, SLOTS)), np.zeros((0, SLOTS)))
        days, slots = place(times[held], zone, cut_hour)
        first = int(days.min())
        shape = (int(days.max()) - first + 1, SLOTS)
        cell = (days - first) * SLOTS + slots
        rows = np.bincount(cell, minlength=shape[0] * SLOTS).reshape(shape)
        positives = np.bincount(cell, weights=labels[held], minlength=shape[0] * SLOTS).reshape(shape)
        return cls(first, rows.astype(np.float64), positives.astype(np.float64))

    def forecast(self, day: int, mature_days: int = 2) -> NDArray[np.float64]:
        """Positive rate of each slot, as known when local day `day` begins, shape (6,); NaN without 7 days.

        Args:
            mature_days: days that must lie between a day's start and its use: 1 for the day itself and 1 for
            each
                begun day of label.matureAfter.
        """
        end = day - mature_days + 1 - self.first_day
        start = max(end - TRAILING_DAYS, 0)
        rows, positives = self.rows[start : max(end, 0)], self.positives[start : max(end, 0)]
        if int((rows.sum(axis=1) > 0).sum()) < LEAST_DAYS:
            return np.full(SLOTS, np.nan)
        overall = positives.sum() / rows.sum()
        forecast = (positives.sum(axis=0) + SHRINKAGE_ROWS * overall) / (rows.sum(axis=0) + SHRINKAGE_ROWS)
        return np.asarray(forecast)


def place(times: Times, zone: str = "UTC", cut_hour: int = 4) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local day and slot of each time, shapes (rows,)."""
    return local_days(times, zone, cut_hour), local_hours(times, zone) // SLOT_HOURS


def mature_days(mature_after_s: float) -> int:
    """Days between the start of a day and the first day that may use it.

    >>> mature_days(86_400), mature_days(7_200), mature_days(0)
    (2, 2, 1)
    """
    return 1 + int(np.ceil(mature_after_s / 86_400))


def climatology(
    times: Times,
    labels: Array,
    zone: str = "UTC",
    cut_hour: int = 4,
    mature_after_s: float = 86_400,
    history: SlotCounts | None = None,
) -> Array:
    """The forecast for each row from rows before it, shape (rows,); NaN where history is too short.

    Args:
        labels: 0/1, NaN where unknown.
        history: counts to forecast from; by default those of these very rows.
    """
    counts = history or SlotCounts.of(times, labels, zone, cut_hour)
    days, slots = place(times, zone, cut_hour)
    wait = mature_days(mature_after_s)
    unique, inverse = np.unique(days, return_inverse=True)
    table = np.array([counts.forecast(int(day), wait) for day in unique]).reshape(-1, SLOTS)
    return np.asarray(table[inverse, slots])

"""Mature cohorts: the rows of whole blocks whose labels have had their time to come.

A row is mature at its time + the label rule's delay; a label that became known by then counts, a later one
does not, and the row is missing. So the answer for a closed block never changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.collector.event import EPOCH, microseconds
from trimtab.collector.examples import Examples
from trimtab.collector.predictions import Predictions
from trimtab.ports.evidence import BlockCut
from trimtab.quality.blocks import block_end, block_starts
from trimtab.quality.climatology import SLOTS, SlotCounts, mature_days, place

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
POINT: float = float(1 << 36)


@dataclass(frozen=True, slots=True)
class Maturity:
    """The label rule of a model.

    Attributes:
        after_us: delay after which a label that has not come is missing, µs.
        missing: the label that a missing one stands for; None leaves such rows out.
    """

    after_us: int
    missing: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """Which blocks: those of `cut` that end by `end_us` and are mature at `now_us`; rows from `start_us` on."""

    start_us: int
    end_us: int
    cut: BlockCut
    now_us: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """Rows of closed, mature blocks, ordered by block.

    Attributes:
        place: their places in the predictions' columns, shape (rows,).
        example: their example numbers, shape (rows,).
        label: NaN where missing, shape (rows,).
        first: first row of each block that has rows, ascending, shape (blocks,).
        starts: when those blocks start.
    """

    place: NDArray[np.intp]
    example: NDArray[np.int32]
    label: Floats
    first: NDArray[np.intp]
    starts: list[datetime]

    def counts(self, rows: NDArray[np.bool_]) -> list[int]:
        """How many of some rows lie in each block."""
        return [int(count) for count in self._by_block(rows.astype(np.int64))]

    def sums(self, values: Floats, rows: NDArray[np.bool_]) -> list[float]:
        """Σ values over some rows of each block, in fixed point (2⁻³⁶): exact, so in any order the same."""
        fixed = np.rint(np.where(rows, values, 0.0) * POINT).astype(np.int64)
        return [float(total / POINT) for total in self._by_block(fixed)]

    def _by_block(self, values: NDArray[np.int64]) -> NDArray[Any]:
        return np.add.reduceat(values, self.first) if len(self.first) else np.empty(0, np.int64)


def labels_at_maturity(
    examples: Examples, number: NDArray[np.int32] | slice, times: Times, rule: Maturity
) -> Floats:
    """Each row's label as it stood when the row became mature; NaN where it was missing, shape (rows,)."""
    in_time = examples.known_us[number] <= np.minimum(times, LATEST) + rule.after_us
    return np.where(in_time, examples.label_value[number], np.nan if rule.missing is None else rule.missing)


LATEST = np.int64(1 << 61)  # a time with which a delay can be added


def cohort(
    predictions: Predictions,
    examples: Examples,
    rule: Maturity,
    asked: Question,
    among: Callable[[NDArray[np.int32]], NDArray[np.bool_]] | None = None,
) -> Cohort:
    """The rows that a question is about; `among` says of example numbers which to keep."""
    cut = asked.cut
    times = predictions.time_us
    blocks = predictions.derived(
        ("block", cut),
        lambda fresh: block_starts(fresh, cut.length_s, cut.zone, cut.cut_hour).astype(np.int64),
    )
    inside = np.flatnonzero((times >= asked.start_us) & (times < min(asked.end_us, asked.now_us)))
    inside = inside[np.argsort(blocks[inside], kind="stable")]
    example = predictions.example[inside]
    if among is not None:
        kept = among(example)
        inside, example = inside[kept], example[kept]
    found, first = np.unique(blocks[inside], return_index=True)
    starts = [EPOCH + timedelta(microseconds=start_us) for start_us in found.tolist()]
    last_us = min(asked.end_us, asked.now_us - rule.after_us)
    closed = sum(
        microseconds(block_end(start, cut.length_s, cut.zone, cut.cut_hour)) <= last_us for start in starts
    )
    rows = int(first[closed]) if closed < len(first) else len(inside)
    inside, example = inside[:rows], example[:rows]
    label = labels_at_maturity(examples, example, times[inside], rule)
    return Cohort(inside, example, label, first[:closed], starts[:closed])


def forecasts(examples: Examples, rule: Maturity, cut: BlockCut, rows: NDArray[np.int32]) -> Floats:
    """Climatology of some examples, from all that are labelled, whatever the revision, shape (rows,).

    NaN where fewer than 7 of the 14 days that were mature when the row's day began hold labels.
    """
    days = examples.derived(
        ("day", cut.zone, cut.cut_hour), lambda new: place(new, cut.zone, cut.cut_hour)[0]
    )
    slots = examples.derived(
        ("slot", cut.zone, cut.cut_hour), lambda new: place(new, cut.zone, cut.cut_hour)[1]
    )
    times = examples.time_us
    label = labels_at_maturity(examples, slice(None), times, rule)
    label[times > LATEST] = np.nan
    wanted, where = np.unique(days[rows], return_inverse=True)
    if not len(wanted):
        return np.empty(0)
    counts = slot_counts(days, slots, label)
    wait = mature_days(rule.after_us / 1_000_000)
    table = np.array([counts.forecast(int(day), wait) for day in wanted])
    return np.asarray(table[where, slots[rows]])


def slot_counts(days: NDArray[np.int64], slots: NDArray[np.int64], label: Floats) -> SlotCounts:
    """Labelled rows and positives by local day and slot; NaN labels are left out."""
    held = np.isfinite(label)
    if not held.any():
        return SlotCounts(0, np.zeros((0, SLOTS)), np.zeros((0, SLOTS)))
    days, slots, label = days[held], slots[held], label[held]
    first = int(days.min())
    shape = (int(days.max()) - first + 1, SLOTS)
    cell = (days - first) * SLOTS + slots
    rows = np.bincount(cell, minlength=shape[0] * SLOTS).astype(np.float64)
    positives = np.bincount(cell, weights=label, minlength=shape[0] * SLOTS).astype(np.float64)
    return SlotCounts(first, rows.reshape(shape), positives.reshape(shape))

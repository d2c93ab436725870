"""Two tables, one question: has the current one moved away from the reference?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.api.errors import DataRefused
from trimtab.drift.columns import Table, as_table
from trimtab.drift.episode import Watch
from trimtab.drift.learning import EPOCH, learn_profile
from trimtab.drift.profile import Profile
from trimtab.drift.report import Report, SeenWindow
from trimtab.drift.settings import Settings
from trimtab.drift.verdict import LEVEL_OF_ONE, judge
from trimtab.drift.windows import NO_TIME, blocks, seconds
from trimtab.sketch import Column, ColumnNotNumeric, Encoded, Kind, Sketch, add, empty

FEWEST_ROWS: Final = 100
FEWEST_ROWS_A_WINDOW: Final = 1_000
WHOLE: Final = 0.95  # share of its length that a window's rows must span


class NothingToCompare(DataRefused):
    """The two tables share no column, or one has no rows."""


class ColumnMissing(DataRefused):
    """A column that was asked for is not there."""

    def __init__(self, column: str, role: str, held: Mapping[str, object]) -> None:
        names = ", ".join(list(held)[:10])
        super().__init__(f"the {role} has no column '{column}'", remedy=f"name one of its columns: {names}")


class ColumnNotText(DataRefused):
    """A column that the reference counts as categories holds numbers."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"column '{column}' holds texts in the reference and numbers now",
            remedy="give both one type, or leave the column out",
        )


class ColumnNotTime(DataRefused):
    """The column of event times holds something else."""

    def __init__(self, column: str, role: str) -> None:
        super().__init__(
            f"column '{column}' of the {role} does not hold times", remedy="cast it to a timestamp, in UTC"
        )


def compare(
    reference: object,
    current: object,
    *,
    settings: Settings | None = None,
    time: str | None = None,
    window_s: int | None = None,
) -> Report:
    """The drift of a current table from a reference.

    Args:
        reference: a DataFrame (pandas, polars), an Arrow table, a dict of NumPy arrays, or a Profile.
        current: the same, but for a Profile.
        settings: measures, overrides, trip; by default tables and windows of at least 100 rows count.
        time: the column of event times. With it thresholds are learned from the reference's own windows,
            p-values count independent rows, and the current table is also judged window by window.
        window_s: length of these windows; by default the profile's.

    Raises:
        DataRefused: a table cannot be read, shares no column with the other, or a column changed its type.
    """
    settings = settings or Settings(min_rows=FEWEST_ROWS)
    now = as_table(current, "current")
    if isinstance(reference, Profile):
        profile, notes = reference, {}
        time = time or profile.time
        times = (
            None if profile.start is None or time not in now.columns else time_column(now, time, "current")
        )
    else:
        before = as_table(reference, "reference")
        profile = _learned(before, now, time, settings)
        notes = {name: f"reference: {why}" for name, why in before.skipped.items()}
        notes |= {name: "only in the reference" for name in before.columns if name not in now.columns}
        times = None if time is None else time_column(now, time, "current")
    columns = {
        name: _alike(name, now, column.grid.kind)
        for name, column in profile.columns.items()
        if name in now.columns
    }
    if not columns:
        raise NothingToCompare(
            "the two tables share no column that can be compared",
            remedy="check that both are of the same data",
        )
    notes |= {name: why for name, why in now.skipped.items() if name not in notes}
    notes |= {
        name: "only in the current table" for name in now.columns if name not in (*profile.columns, time)
    }
    notes |= {name: "not in the current table" for name in profile.columns if name not in now.columns}
    sketches = {name: add(empty(profile.columns[name].grid), column) for name, column in columns.items()}
    length = None if times is None else window_s or profile.window_s
    span_s = None if times is None else _span_s(seconds(times))
    return Report(
        profile=profile,
        verdict=judge(profile, sketches, settings, span_s, level=LEVEL_OF_ONE),
        sketches=sketches,
        settings=settings,
        window_s=length,
        **_ends(times),
        windows=() if times is None or length is None else _strip(profile, columns, times, settings, length),
        notes={name: why for name, why in notes.items() if name != time},
    )


def _learned(before: Table, now: Table, time: str | None, settings: Settings) -> Profile:
    times = None if time is None else time_column(before, time, "reference")
    shared = {name: column for name, column in before.columns.items() if name != time and name in now.columns}
    if not shared or not before.rows:
        raise NothingToCompare(
            "the reference has no rows" if shared else "the two tables share no column that can be compared",
            remedy="check that both are of the same data",
        )
    for name in before.empty:
        if isinstance(now.columns.get(name), Encoded):
            shared[name] = _no_texts(before.rows)
    return learn_profile(
        shared,
        times,
        min_rows=max(settings.min_rows, FEWEST_ROWS_A_WINDOW),
        measures=settings.measures,
        time=time,
    )


def time_column(table: Table, time: str | None, role: str) -> NDArray[Any]:
    """A table's event times, datetime64, shape (rows,). Raises ColumnMissing or ColumnNotTime."""
    if time is None or time not in table.columns:
        raise ColumnMissing(str(time), role, table.columns)
    column = table.columns[time]
    if isinstance(column, Encoded) or column.dtype.kind != "M":
        raise ColumnNotTime(time, role)
    return column


def _alike(name: str, table: Table, kind: Kind) -> Column:
    column = table.columns[name]
    if kind == "category" and not isinstance(column, Encoded):
        if name not in table.empty:
            raise ColumnNotText(name)
        return _no_texts(table.rows)
    if kind != "category" and isinstance(column, Encoded):
        raise ColumnNotNumeric(name)
    return column


def _no_texts(rows: int) -> Encoded:
    return Encoded(np.full(rows, -1), [])


def _ends(times: NDArray[Any] | None) -> dict[str, datetime]:
    known = np.array([]) if times is None else seconds(times)[~np.isnat(times)]
    if not len(known):
        return {}
    return {
        name: EPOCH + timedelta(seconds=int(at))
        for name, at in (("start", known.min()), ("end", known.max()))
    }


def _span_s(times_s: NDArray[np.int64]) -> int:
    known = times_s[times_s != NO_TIME]
    return int((known.max() - known.min()) / WHOLE) if len(known) else 0


def _strip(
    profile: Profile,
    columns: Mapping[str, Column],
    times: NDArray[Any],
    settings: Settings,
    length_s: int,
) -> tuple[SeenWindow, ...]:
    times_s = seconds(times)
    block, count = blocks(times_s, length_s)
    if not count:
        return ()
    first = int(times_s[times_s != NO_TIME].min())
    order = np.argsort(block, kind="stable")
    edges = np.searchsorted(block[order], np.arange(count + 1))
    watch, seen = Watch(), []
    for number in range(count):
        rows = order[edges[number] : edges[number + 1]]
        start_s = first + number * length_s
        whole = number < count - 1 or _span_s(times_s[rows]) >= WHOLE * length_s
        sketches = {name: _part(profile, name, column, rows) for name, column in columns.items()}
        verdict = judge(profile, sketches, settings, length_s)
        start, end = EPOCH + timedelta(seconds=start_s), EPOCH + timedelta(seconds=start_s + length_s)
        watch = watch.seen(start, end, verdict.tripped if whole else None, settings.trip)
        seen.append(SeenWindow(start, end, verdict, whole, watch.open))
    return tuple(seen)


def _part(profile: Profile, name: str, column: Column, rows: NDArray[np.int64]) -> Sketch:
    taken = Encoded(column.codes[rows], column.values) if isinstance(column, Encoded) else column[rows]
    return add(empty(profile.columns[name].grid), taken)

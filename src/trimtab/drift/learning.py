"""Learning a profile from the reference rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.api.errors import DataRefused
from trimtab.drift.dependence import block_sums
from trimtab.drift.profile import ColumnProfile, LabelRule, Profile
from trimtab.drift.related import groups
from trimtab.drift.tally import tally
from trimtab.drift.thresholds import learned
from trimtab.drift.windows import DAY_S, HOUR_S, LENGTHS_S, NO_TIME, blocks, cut, seconds
from trimtab.sketch import CategorySketch, Column, Encoded, Sketch, add, empty, encode, kind_of, learn_grid
from trimtab.sketch.numbers import as_numbers

FEWEST_ROWS_A_WINDOW: Final = 200
MEASURES: Final = frozenset({"ks", "wasserstein", "psi", "jensen_shannon", "chi_square"})
RELATED_SAMPLE: Final = 5_000
RELATED_VALUES: Final = 50
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReferenceUnusable(DataRefused):
    """The reference cannot be learned from."""


def learn_profile(
    columns: Mapping[str, Column],
    times: NDArray[Any] | None = None,
    *,
    min_rows: int = 1_000,
    window_s: int | None = None,
    measures: Collection[str] = MEASURES,
    label: LabelRule | None = None,
    key: Sequence[str] = (),
    time: str | None = None,
    time_zone: str = "UTC",
    reference_skills: Sequence[float] = (),
    classes: Sequence[str] = (),
) -> Profile:
    """The profile of these reference rows.

    Args:
        columns: by feature, shape (rows,) each: numbers, booleans or datetime64; strings or objects for
            categories, or Encoded.
        times: each row's event time, datetime64 UTC, shape (rows,); rows of no time (NaT) enter the sketches but
            no window. Without times there are no learned thresholds and no p-values.
        min_rows: rows that a window must hold; the default window is the shortest of 1h, 6h, 1d, 7d whose
            median window has them.
        window_s: length of the windows that will be judged, if that is settled: whole hours.
        measures: whose thresholds to learn; those of a DriftMonitor by default. Another keeps its floor.

    Raises:
        ReferenceUnusable: no rows or columns, or columns of different lengths.
    """
    rows = _rows(columns, times)
    held = {name: _plain(column) for name, column in columns.items()}
    sketches = {name: _sketched(name, column) for name, column in held.items()}
    group = _related(sketches, held, rows)
    profile = Profile(
        columns={name: ColumnProfile(sketches[name], group[name]) for name in columns},
        rows=rows,
        label=label,
        key=tuple(key),
        time=time,
        time_zone=time_zone,
        reference_skills=tuple(reference_skills),
        classes=tuple(classes),
    )
    return (
        profile if times is None else _with_times(profile, held, seconds(times), min_rows, window_s, measures)
    )


def _with_times(
    profile: Profile,
    held: Mapping[str, Column],
    times_s: NDArray[np.int64],
    min_rows: int,
    window_s: int | None,
    measures: Collection[str],
) -> Profile:
    known = times_s[times_s != NO_TIME]
    if not len(known):
        raise ReferenceUnusable("no row of the reference has a time", remedy="leave the time column out")
    lengths = sorted({*LENGTHS_S, *([window_s] if window_s else [])})
    windows = {length: cut(times_s, length) for length in lengths}
    enough = {length: found for length, found in windows.items() if found.median >= FEWEST_ROWS_A_WINDOW}
    hours, days = blocks(times_s, HOUR_S), blocks(times_s, DAY_S)
    columns = {}
    for name, column in held.items():
        one = tally(profile.columns[name].sketch, column)
        daily = block_sums(one, *days)
        columns[name] = replace(
            profile.columns[name],
            thresholds={
                length: learned(one, one.counted(found), measures) for length, found in enough.items()
            },
            hour_effect=block_sums(one, *hours).design_effect(),
            day_effect=daily.design_effect(),
            day_autocorrelation=daily.autocorrelation(),
        )
    return replace(
        profile,
        columns=columns,
        start=EPOCH + timedelta(seconds=int(known.min())),
        end=EPOCH + timedelta(seconds=int(known.max())),
        windows={length: found.count for length, found in enough.items()},
        window_s=window_s
        or next((length for length in LENGTHS_S if windows[length].median >= min_rows), LENGTHS_S[-1]),
    )


def _rows(columns: Mapping[str, Column], times: NDArray[Any] | None) -> int:
    if not columns:
        raise ReferenceUnusable("the reference has no columns", remedy="give at least one feature")
    sizes = {name: len(column) for name, column in columns.items()}
    if times is not None:
        sizes["(times)"] = len(times)
    first, rows = next(iter(sizes.items()))
    for name, size in sizes.items():
        if size != rows:
            raise ReferenceUnusable(
                f"column '{first}' has {rows} rows, '{name}' has {size}", remedy="give columns of one table"
            )
    if rows == 0:
        raise ReferenceUnusable(
            "the reference has no rows", remedy="give the rows that the model learned from"
        )
    return rows


def _plain(column: Column) -> Column:
    """Texts become codes once, since they are counted several times."""
    if isinstance(column, Encoded) or kind_of(column) != "category":
        return column
    return encode(column)


def _sketched(name: str, column: Column) -> Sketch:
    if isinstance(column, Encoded):
        return add(empty(learn_grid(name, np.empty(0), "category")), column)
    return add(empty(learn_grid(name, as_numbers(column, name), kind_of(column))), column)


def _related(sketches: Mapping[str, Sketch], columns: Mapping[str, Column], rows: int) -> dict[str, int]:
    seen = np.arange(rows)
    if rows > RELATED_SAMPLE:
        seen = np.random.default_rng(0).integers(0, rows, RELATED_SAMPLE)
    ranks, codes = {}, {}
    for name, column in columns.items():
        if isinstance(column, Encoded):
            codes[name] = _heaviest(sketches[name], column, seen)
        else:
            ranks[name] = _ranked(as_numbers(column, name)[seen])
    return groups(ranks, codes)


def _ranked(values: NDArray[np.float64]) -> NDArray[np.float64]:
    present = np.isfinite(values)
    distinct, place, times = np.unique(values[present], return_inverse=True, return_counts=True)
    ranks = np.full(len(values), np.nan)
    ranks[present] = (np.cumsum(times) - times / 2)[place] if len(distinct) else 0.0
    return ranks


def _heaviest(sketch: Sketch, column: Encoded, seen: NDArray[np.int64]) -> NDArray[np.int64]:
    assert isinstance(sketch, CategorySketch)
    place = {value: number for number, (value, _) in enumerate(sketch.most_common(RELATED_VALUES))}
    table = np.array([place.get(value, RELATED_VALUES) for value in column.values] + [-1], np.int64)
    return np.asarray(table[column.codes[seen]])

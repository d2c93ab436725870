"""What a table's columns seem to be: nulls, times without a zone, ids, the task, and what may leak the label."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trimtab.api.errors import InputRefused
from trimtab.quality.classification import roc_auc
from trimtab.steps.labels import MAX_CLASSES, MAX_NUMBERED_CLASSES

NULL_MARKS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "?", "-")
"""Texts that people write where there is no value."""

LEAK_AUC = 0.98
"""A column that alone ranks the label this well was probably written after the fact."""

LEAST_ROWS = 150
"""Fewer leave less than the 20 rows that validation and test each need."""

_ID_WORDS = re.compile(r"(?i)(^|[^a-z])(id|key|uuid|guid|nr|no|number|index)([^a-z]|$)|[a-z]I[dD]$")


@dataclass(frozen=True, slots=True)
class Guesses:
    """What was guessed of one table, each with the sentence that says why.

    Attributes:
        nulls: texts that mean no value.
        naive: columns of times without a zone.
        key: columns that name a row; empty when none was found.
        time: column of the prediction's time; None when none was asked for.
        task: binary, multiclass or regression.
        ignore: columns left out: they hold nothing, one value only, or nothing but names.
        notes: sentences for the person who will read the project file.
    """

    nulls: tuple[str, ...]
    naive: tuple[str, ...]
    key: tuple[str, ...]
    time: str | None
    task: str
    ignore: tuple[str, ...]
    notes: tuple[str, ...]


def guess(table: pa.Table, file: str, label: str, time: str | None = None) -> Guesses:
    """Look at a table as read, with text left as text.

    Args:
        table: the whole file; a csv's columns with no null marks taken out yet.
        file: its name, for messages.

    Raises:
        InputRefused: too few rows; label or time not there; a label with one value; a time that is no time.
    """
    if table.num_rows == 0:
        raise InputRefused(f"{file} holds no rows", remedy=f"give a table of at least {LEAST_ROWS} rows")
    for column in (label, *([time] if time else [])):
        if column not in table.column_names:
            near = difflib.get_close_matches(column, table.column_names, n=1)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"its columns: {', '.join(table.column_names[:30])}"
            )
            raise InputRefused(f"{file} has no column '{column}'", remedy=hint)
    nulls = tuple(
        mark
        for mark in NULL_MARKS
        if mark == "" or any(_holds(table[name], mark) for name in table.column_names)
    )
    columns = {name: typed(table[name], nulls) for name in table.column_names}
    notes: list[str] = []
    if len(nulls) > 1:
        notes.append(f"nulls: {', '.join(repr(mark) for mark in nulls[1:])} stand where there is no value")
    task = _task(columns[label], file, label)
    if (labelled := table.num_rows - columns[label].null_count) < LEAST_ROWS:
        raise InputRefused(
            f"{file}: {labelled} rows have a '{label}'; validation and test alone need 20 each, beside those to "
            f"learn from", remedy=f"give a table of at least {LEAST_ROWS} labelled rows",
        )  # fmt: skip
    naive = tuple(
        name
        for name, column in columns.items()
        if pa.types.is_timestamp(column.type) and column.type.tz is None
    )
    if naive:
        notes.append(f"zones: {', '.join(naive)} carry no time zone; UTC is assumed")
    if time is not None:
        if pa.types.is_date(columns[time].type):
            notes.append(f"time: '{time}' holds dates; each counts as its first moment in UTC")
        elif not pa.types.is_timestamp(columns[time].type):
            raise InputRefused(
                f"{file}: column '{time}' holds {_kind(columns[time].type)}, not times",
                remedy="write times as 2024-05-31T12:30:00Z or 2024-05-31, or leave --time out",
            )
        elif columns[time].null_count:
            raise InputRefused(
                f"{file}: column '{time}' is missing in {columns[time].null_count} of {table.num_rows} rows",
                remedy="leave those rows out, or leave --time out: then rows are held out at random",
            )
    temporal = [name for name, column in columns.items() if pa.types.is_temporal(column.type)]
    if time is None and temporal:
        notes.append(f"time: '{temporal[0]}' looks like one; with `--time {temporal[0]}` rows are held out by "
                     f"time, not at random")  # fmt: skip
    if rest := [name for name in temporal if name not in (time, label)]:
        notes.append(f"left out: {', '.join(map(repr, rest))}: times are no features by themselves; a "
                     f"features.py can make numbers of them")  # fmt: skip
    key = _key(columns, exclude={label, time})
    if key:
        notes.append(f"key: '{key[0]}' differs in every row; it names a prediction and is no feature")
    useless = dict(_useless(columns, exclude={label, time, *key}))
    ignore = tuple(useless)
    notes += useless.values()
    notes += _leaks(columns, label, task, exclude={label, time, *key, *ignore})
    return Guesses(nulls, naive, key, time, task, ignore, tuple(notes))


def typed(column: pa.ChunkedArray, nulls: tuple[str, ...]) -> pa.ChunkedArray:
    """A text column without its null marks, as the narrowest of number, time and text that holds it."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    text = pc.if_else(pc.is_in(column, pa.array(nulls)), pa.scalar(None, column.type), column)
    if text.null_count == len(text):
        return text
    for narrower in (pa.float64(), pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            return pc.cast(text, narrower)
        except pa.ArrowInvalid:
            continue
    return text


def _holds(column: pa.ChunkedArray, mark: str) -> bool:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    return bool(pc.any(pc.equal(column, mark)).as_py())


def _task(label: pa.ChunkedArray, file: str, name: str) -> str:
    """The task, as `trimtab.steps.labels` will infer it from the table."""
    values = pc.count_distinct(label).as_py()
    if values < 2:
        said = "is missing in every row" if label.null_count == len(label) else "is the same in every row"
        raise InputRefused(f"{file}: '{name}' {said}", remedy="a label needs two values at least")
    if pa.types.is_boolean(label.type):
        return "binary"
    if pa.types.is_floating(label.type) or pa.types.is_integer(label.type):
        most = MAX_NUMBERED_CLASSES if _whole(label) else 0
        if values > most:
            return "regression"
    elif pa.types.is_temporal(label.type):
        raise InputRefused(f"{file}: '{name}' holds times, which are no label",
                           remedy="predict a number or a class, such as the days until then")  # fmt: skip
    elif values > MAX_CLASSES:
        raise InputRefused(f"{file}: '{name}' holds {values} different texts",
                           remedy=f"a class label has at most {MAX_CLASSES}; group them first")  # fmt: skip
    return "binary" if values == 2 else "multiclass"


def _whole(column: pa.ChunkedArray) -> bool:
    if pa.types.is_integer(column.type):
        return True
    return bool(pc.all(pc.equal(column, pc.floor(column))).as_py())


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return "numbers"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else f"values of type {kind}"


def _key(columns: dict[str, pa.ChunkedArray], exclude: set[str | None]) -> tuple[str, ...]:
    for name, column in columns.items():
        if name in exclude or column.null_count or pc.count_distinct(column).as_py() != len(column):
            continue
        if _names_rows(name, column):
            return (name,)
    return ()


def _names_rows(name: str, column: pa.ChunkedArray) -> bool:
    """Whether a column that differs in every row is an id, rather than a measurement or a text."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return not pc.any(pc.match_substring_regex(column, r"\s")).as_py()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) or not _whole(column):
        return False
    low, high = pc.min_max(column).as_py().values()
    return bool(_ID_WORDS.search(name)) or high - low + 1 == len(column)


def _useless(columns: dict[str, pa.ChunkedArray], exclude: set[str | None]) -> Iterator[tuple[str, str]]:
    for name, column in columns.items():
        if name in exclude:
            continue
        values = pc.count_distinct(column).as_py()
        if column.null_count == len(column):
            yield name, f"ignore: '{name}' holds no value at all"
        elif values == 1 and not column.null_count:
            yield name, f"ignore: '{name}' holds one value only"
        elif pa.types.is_string(column.type) and values > 0.9 * len(column) and len(column) > 100:
            yield name, f"ignore: '{name}' differs in nearly every row, as names and free text do"


def _leaks(columns: dict[str, pa.ChunkedArray], label: str, task: str, exclude: set[str | None]) -> list[str]:
    """Sentences on columns that alone tell the label."""
    if task != "binary":
        return []
    y = pc.equal(columns[label], pc.max(columns[label])).fill_null(False).to_numpy().astype(float)
    found = []
    for name, column in columns.items():
        if name in exclude:
            continue
        score = _scores(column, y)
        auc = roc_auc(y, score)
        auc = max(auc, 1 - auc)
        if auc >= LEAK_AUC:
            found.append(f"leak? '{name}' alone reaches AUC {auc:.3f}: was it known when the prediction was made? "
                         f"if not, add it to sources.data.ignore")  # fmt: skip
    return found


def _scores(column: pa.ChunkedArray, y: np.ndarray) -> np.ndarray:
    if (
        pa.types.is_string(column.type)
        or pa.types.is_boolean(column.type)
        or pa.types.is_large_string(column.type)
    ):
        codes = np.asarray(pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1)) + 1
        rows = np.bincount(codes)
        # leave-one-out, so that a column of names does not tell its own label
        totals = np.bincount(codes, weights=y)
        return np.asarray((totals[codes] - y) / np.maximum(rows[codes] - 1, 1))
    if pa.types.is_temporal(column.type):
        return np.asarray(pc.fill_null(column.cast(pa.timestamp("us")).cast(pa.int64()), 0), dtype=float)
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan), dtype=float)
    return np.where(np.isnan(values), np.nanmin(values) - 1 if not np.isnan(values).all() else 0.0, values)

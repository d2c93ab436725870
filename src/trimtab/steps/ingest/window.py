"""Which rows of the files are read: from the watermark less the lookback, up to `until`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from trimtab.api.sources import ColumnType, Source
from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import Session
from trimtab.ports.tables import Bound
from trimtab.steps.refusals import WatermarkUnfit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Rows with start ≤ watermark < until; None: no bound. Rows without a watermark are let in, to be told of."""

    column: str | None = None
    kind: ColumnType = "timestamp"
    start: Bound | None = None
    until: datetime | None = None

    @property
    def predicate(self) -> str:
        """In SQL, over the converted columns."""
        if self.column is None:
            return "true"
        column, parts = quoted(self.column), []
        if self.start is not None:
            parts.append(f"{column} >= {literal(self.start)}")
        if self.until is not None:
            parts.append(f"{column}::timestamptz < {literal(self.until)}")
        return f"({column} is null or ({' and '.join(parts)}))" if parts else "true"


def window(
    name: str, source: Source, types: Mapping[str, ColumnType], newest: Bound | None, until: datetime | None
) -> Window:
    """The window of a load.

    Args:
        newest: the greatest watermark that the table holds; None for none, or for a full load.

    Raises:
        WatermarkUnfit: of a type that does not grow, or a lookback in time over what is not a time.
    """
    column = source.load.watermark
    if column is None:
        return Window()
    kind = types[column]
    timely = kind in ("timestamp", "date")
    if not timely and kind not in ("integer", "number"):
        raise WatermarkUnfit(name, column, f"is {kind}, and only times, days and numbers grow")
    if not timely and source.load.lookback:
        raise WatermarkUnfit(name, column, f"is {kind}, so a lookback in time means nothing")
    start = newest
    if isinstance(newest, datetime):
        start = newest - source.load.lookback
    elif timely and newest is not None:
        start = newest - timedelta(days=-(-source.load.lookback // timedelta(days=1)))  # type: ignore[operator]  # a date, as `timely` says
    return Window(column, kind, start, until if timely else None)


def extreme(session: Session, which: str, relation: str, column: str, kind: ColumnType) -> Bound | None:
    """`min` or `max` of a column; None over no rows."""
    read = f"epoch_us({which}({quoted(column)}))" if kind == "timestamp" else f"{which}({quoted(column)})"
    found: Any = session.rows(f"select {read} from {relation}")[0][0]
    if found is not None and kind == "timestamp":
        return _EPOCH + timedelta(microseconds=int(found))
    return found  # type: ignore[no-any-return]  # DuckDB answers a date, an int or a float

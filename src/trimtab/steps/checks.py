"""One expectation against the rows of one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trimtab.api import expectations as api
from trimtab.api.errors import InputRefused
from trimtab.api.sources import ColumnType
from trimtab.api.values import format_duration
from trimtab.ports.dialect import SQL_TYPES, listed, literal, quoted
from trimtab.ports.engine import Session
from trimtab.steps.ingest.columns import nearest

OFTEN: Final = "trimtab_often"
"""A column that numbers rows, so that of equal ones the first is known."""

_EXAMPLES: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judged:
    """An expectation and what was found.

    Attributes:
        says: what was expected, in words.
        broken: whether it does not hold.
        otherwise: what that means: fail, quarantine or warn.
        found: what was found, in words.
        rows: rows that break it; None where it is about the table.
        bad: SQL predicate of such rows, over the columns and OFTEN, which numbers them; None likewise.
        examples: values of some such rows.
    """

    says: str
    broken: bool
    otherwise: str
    found: str
    rows: int | None = None
    bad: str | None = None
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "says": self.says, "broken": self.broken, "else": self.otherwise, "found": self.found,
            "rows": self.rows, "examples": list(self.examples),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Judged":
        """From `to_json`; what was said is there again, the predicate is not."""
        return cls(
            says=data["says"], broken=data["broken"], otherwise=data["else"], found=data["found"],
            rows=data["rows"], examples=tuple(data["examples"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Seen:
    columns: Mapping[str, ColumnType]
    session: Session
    relation: str
    now: datetime
    path: str

    def kind(self, column: str) -> ColumnType:
        if column not in self.columns:
            near = nearest(column, list(self.columns))
            raise InputRefused(
                f"expectations.yaml: {self.path}: the table has no column '{column}'",
                remedy=f"did you mean '{near}'?" if near else f"its columns: {', '.join(self.columns)}",
            )
        return self.columns[column]

    def one(self, sql: str) -> Any:
        return self.session.rows(f"select {sql} from {self.relation}")[0][0]


def judge(
    expectation: Any,
    columns: Mapping[str, ColumnType],
    session: Session,
    relation: str,
    now: datetime,
    path: str,
) -> Judged:
    """Judge one.

    Args:
        path: where it stands in expectations.yaml, for messages.

    Raises:
        InputRefused: it names a column that the table does not have, or a bound that its type cannot take.
        SqlFailed: its expression is no SQL over these columns.
    """
    return _JUDGES[type(expectation)](expectation, _Seen(columns, session, relation, now, path))


def _schema(one: api.Schema, seen: _Seen) -> Judged:
    wrong = [f"{column} is missing" for column in one.columns if column not in seen.columns]
    wrong += [
        f"{column} is {seen.columns[column]}, not {kind}"
        for column, kind in one.columns.items()
        if column in seen.columns and seen.columns[column] != kind
    ]
    says = f"the columns are {', '.join(f'{column} {kind}' for column, kind in one.columns.items())}"
    return Judged(says, bool(wrong), one.otherwise, "; ".join(wrong) or "they are")


def _complete(one: api.Complete, seen: _Seen) -> Judged:
    seen.kind(one.column)
    if one.at_least == 1:
        return _rows(one, seen, f"{one.column} is never missing", f"{quoted(one.column)} is null", [])
    rows, there = seen.session.rows(f"select count(*), count({quoted(one.column)}) from {seen.relation}")[0]
    share = there / rows if rows else 1.0
    says = f"{one.column} is there in at least {one.at_least:.4g} of rows"
    return Judged(says, share < one.at_least, one.otherwise, f"{share:.4g} of {rows:,}")


def _unique(one: api.Unique, seen: _Seen) -> Judged:
    for column in one.columns:
        seen.kind(column)
    there = " and ".join(f"{quoted(column)} is not null" for column in one.columns)
    again = f"({there} and row_number() over (partition by {listed(one.columns)} order by {OFTEN}) > 1)"
    return _rows(one, seen, f"no two rows share {', '.join(one.columns)}", again, one.columns)


def _range(one: api.Range, seen: _Seen) -> Judged:
    column, kind = quoted(one.column), seen.kind(one.column)
    parts, words = [], []
    for bound, sign, word in ((one.at_least, "<", "at least"), (one.at_most, ">", "at most")):
        if bound is not None:
            parts.append(f"{column} {sign} {_bound(bound, kind, one.column, seen)}")
            words.append(f"{word} {bound}")
    predicate = f"coalesce({' or '.join(parts)}, false)"
    return _rows(one, seen, f"{one.column} is {' and '.join(words)}", predicate, [one.column])


def _allowed(one: api.Allowed, seen: _Seen) -> Judged:
    kind = seen.kind(one.column)
    values = ", ".join(_bound(value, kind, one.column, seen) for value in one.values)
    few = ", ".join(str(value) for value in one.values[:8]) + (", …" if len(one.values) > 8 else "")
    predicate = f"coalesce({quoted(one.column)} not in ({values}), false)"
    return _rows(one, seen, f"{one.column} is one of {few}", predicate, [one.column])


def _row(one: api.Row, seen: _Seen) -> Judged:
    seen.session.tables_in(f"select ({one.expression}) from {seen.relation}")
    predicate = f"coalesce(not ({one.expression}), false)"
    return _rows(one, seen, one.expression, predicate, [])


def _volume(one: api.Volume, seen: _Seen) -> Judged:
    rows = int(seen.one("count(*)"))
    most = one.at_most is not None and rows > one.at_most
    says = f"there are at least {one.at_least:,} rows" + (
        f" and at most {one.at_most:,}" if one.at_most else ""
    )
    return Judged(says, rows < one.at_least or most, one.otherwise, f"{rows:,} rows")


def _fresh(one: api.Fresh, seen: _Seen) -> Judged:
    kind = seen.kind(one.column)
    if kind not in ("timestamp", "date"):
        raise InputRefused(
            f"expectations.yaml: {seen.path}: '{one.column}' is {kind}, and only times and days are fresh or stale",
            remedy="name a column of type timestamp or date",
        )
    newest = seen.one(f"epoch_us(max({quoted(one.column)})::timestamptz)")
    says = f"the newest {one.column} is at most {format_duration(one.within)} old"
    if newest is None:
        return Judged(says, True, one.otherwise, "there is none")
    at = _EPOCH + timedelta(microseconds=int(newest))
    return Judged(says, seen.now - at > one.within, one.otherwise, f"it is of {at:%Y-%m-%d %H:%M}Z")


def _rows(one: Any, seen: _Seen, says: str, bad: str, shown: list[str]) -> Judged:
    """An expectation of single rows."""
    body = f"select *, {bad} as broken from (select *, row_number() over () as {OFTEN} from {seen.relation})"
    count = int(seen.session.rows(f"select count(*) filter (broken) from ({body})")[0][0])
    if not count:
        return Judged(says, False, one.otherwise, "all rows", 0, bad)
    columns = shown or list(seen.columns)[:6]
    row = " || ', ' || ".join(
        f"{literal(c + '=')} || coalesce({quoted(c)}::varchar, 'null')" for c in columns
    )
    examples = seen.session.rows(
        f"select {row} from ({body}) where broken order by {OFTEN} limit {_EXAMPLES}"
    )
    named = tuple(str(example[0]) for example in examples)
    return Judged(says, True, one.otherwise, f"{count:,} rows do not, such as {named[0]}", count, bad, named)


def _bound(value: Any, kind: ColumnType, column: str, seen: _Seen) -> str:
    """A bound as a literal of the column's type."""
    text = isinstance(value, str)
    if kind in ("integer", "number") and (text or isinstance(value, bool)):
        fits = False
    elif kind == "boolean":
        fits = isinstance(value, bool)
    else:
        fits = text or kind in ("integer", "number")
    moment = kind in ("timestamp", "date")
    if fits and moment:
        fits = seen.session.rows(f"select try_cast({literal(value)} as {SQL_TYPES[kind]}) is not null")[0][0]
    if not fits:
        raise InputRefused(
            f"expectations.yaml: {seen.path}: {value!r} is no {kind}, and '{column}' is",
            remedy="write it as 2013-01-01T00:00:00Z" if moment else f"write it as {kind}",
        )
    return f"{literal(value)}::{SQL_TYPES[kind]}" if moment else literal(value)


_JUDGES: Final[Mapping[type, Callable[[Any, _Seen], Judged]]] = {
    api.Schema: _schema,
    api.Complete: _complete,
    api.Unique: _unique,
    api.Range: _range,
    api.Allowed: _allowed,
    api.Row: _row,
    api.Volume: _volume,
    api.Fresh: _fresh,
}

"""How a column that files send becomes a column of the type that the table holds, in SQL.

DuckDB's own casts forgive too much ('12.5' becomes the integer 13, a time without a zone becomes UTC), so each
conversion here stands behind a test of its text.
"""

from dataclasses import dataclass
from typing import Final

from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import SQL_TYPES, literal, quoted

_CLOCK: Final = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
_DAY: Final = r"\s*\d{4}-\d{1,2}-\d{1,2}"
WHOLE: Final = r"\s*[+-]?\d{1,19}\s*"
DATE: Final = _DAY + r"\s*"
NAIVE: Final = _DAY + _CLOCK + r"\s*"
ZONED: Final = _DAY + _CLOCK + r"(Z|[+-]\d{2}(:?\d{2})?)\s*"


@dataclass(frozen=True, slots=True)
class Conversion:
    """Of one column.

    Attributes:
        value: expression that is the converted value; it raises for a value that `bad` is true of.
        bad: predicate, true of values that do not convert; never null.
        lenient: expression that is null for such values.
    """

    value: str
    bad: str
    lenient: str


def matches(column: str, pattern: str) -> str:
    """Predicate: the whole text is of this form."""
    return f"regexp_full_match({column}, {literal(pattern)})"


def conversion(
    name: str, sent: ColumnType | None, held: ColumnType, zone: str | None, alias: str = ""
) -> Conversion:
    """From what the files send (None: text that says what it is) to what the table holds."""
    column = f"{alias}.{quoted(name)}" if alias else quoted(name)
    fits, made = _rule(column, sent, held, zone)
    lenient = f"case when {fits} then {_tried(made)} end"
    bad = f"({column} is not null and ({fits} and {_tried(made)} is not null) is not true)"
    failed = f"error({literal('does not convert: ' + name)})"
    value = (
        made
        if fits == "true"
        else f"case when {fits} then {made} when {column} is null then null else {failed} end"
    )
    return Conversion(value, bad, lenient)


def cast(name: str, sent: ColumnType | None, held: ColumnType, zone: str | None) -> str:
    """Expression of a declared `cast`: as `conversion`, else by DuckDB's own cast, else null."""
    strict = conversion(name, sent, held, zone).lenient
    column = quoted(name)
    if held == "integer":
        free = f"try_cast(try_cast({column} as double) as bigint)"
    elif held == "timestamp":
        free = "null::timestamptz"
    else:
        free = f"try_cast({column} as {SQL_TYPES[held]})"
    return f"coalesce({strict}, {free})"


def _tried(made: str) -> str:
    """The same expression, null where a cast fails."""
    return f"try({made})"


def _rule(column: str, sent: ColumnType | None, held: ColumnType, zone: str | None) -> tuple[str, str]:
    """The predicate that a value fits, null for a null, and the expression of a value that does."""
    if sent == held or (sent, held) == ("integer", "number"):
        return "true", f"{column}::{SQL_TYPES[held]}"
    if (sent, held) == ("number", "integer"):
        return f"({column} = trunc({column}) and abs({column}) < 9007199254740992)", f"{column}::bigint"
    if sent is not None:
        return f"({column} is null and null)", f"null::{SQL_TYPES[held]}"
    if held == "string":
        return "true", column
    if held == "integer":
        return matches(column, WHOLE), f"{column}::bigint"
    if held == "number":
        return (
            f"(try_cast({column} as double) is not null or ({column} is null and null))",
            f"{column}::double",
        )
    if held == "boolean":
        return f"lower(trim({column})) in ('true', 'false')", f"trim({column})::boolean"
    if held == "date":
        return matches(column, DATE), f"{column}::date"
    if zone is None:
        return matches(column, ZONED), f"{column}::timestamptz"
    local = f"timezone({literal(zone)}, {column}::timestamp)"
    return (
        f"({matches(column, ZONED)} or {matches(column, NAIVE)} or {matches(column, DATE)})",
        f"case when {matches(column, ZONED)} then {column}::timestamptz else {local} end",
    )

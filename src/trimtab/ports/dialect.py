"""Names, values and types as the engine's SQL writes them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from trimtab.api.sources import ColumnType

SQL_TYPES: Final[Mapping[ColumnType, str]] = {
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "string": "varchar",
    "timestamp": "timestamptz",
    "date": "date",
}


def quoted(name: str) -> str:
    """A name as an identifier.

    >>> quoted('a "b" c')
    '"a ""b"" c"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as a literal: text, number, boolean, time, day, list, mapping of names.

    >>> literal(["it's", 1, True])
    "['it''s', 1, true]"
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"'{value.isoformat()}'::timestamptz"
    if isinstance(value, date):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"


def listed(names: "list[str] | tuple[str, ...]", table: str = "") -> str:
    """Names as a list of identifiers, each behind its table's alias if there is one.

    >>> listed(["a", "b"], "h")
    'h."a", h."b"'
    """
    return ", ".join(f"{table}.{quoted(name)}" if table else quoted(name) for name in names)

"""The six column types, as Delta writes them."""

from typing import Any, Final

from deltalake import DeltaTable

from trimtab.api.errors import InputRefused
from trimtab.api.sources import ColumnType

_TYPES: Final[dict[str, ColumnType]] = {
    "long": "integer",
    "double": "number",
    "boolean": "boolean",
    "string": "string",
    "timestamp": "timestamp",
    "date": "date",
}


def columns_of(name: str, table: DeltaTable) -> dict[str, ColumnType]:
    """Type by column, in the table's order. Raises InputRefused for a type that trimtab never writes."""
    columns: dict[str, ColumnType] = {}
    for field in table.schema().fields:
        kind: Any = getattr(field.type, "type", None)
        if kind not in _TYPES:
            raise InputRefused(
                f"table '{name}': column '{field.name}' has type {field.type}, which is none of ours"
            )
        columns[field.name] = _TYPES[kind]
    return columns

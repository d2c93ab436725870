"""A first expectations.yaml, written from the data that is there: a start to be read and corrected."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import quoted
from trimtab.ports.engine import Engine, Session
from trimtab.ports.tables import Pointer, Tables

FEW: Final = 20
_HEADER: Final = """\
# What must hold of each table's rows. Written from the data by `trimtab init --expectations`: read it, correct it.
# else: fail (the run stops) | quarantine (the rows are set aside, with the reason) | warn
"""


def expect(
    pointers: Mapping[str, Pointer], keys: Mapping[str, Sequence[str]], *, engine: Engine, tables: Tables
) -> str:
    """The text of expectations.yaml; what it says is true of these rows.

    Args:
        keys: columns that name a row, by table, where they are known.
    """
    parts = []
    for name, pointer in pointers.items():
        with engine.session() as session:
            session.mount("seen", pointer)
            columns = tables.at(pointer.table, pointer.version).columns
            found = _of(session, columns, keys.get(name, ()), pointer.rows)
        lines = [
            yaml.safe_dump(one, default_flow_style=True, sort_keys=False, width=1 << 16).strip()
            for one in found
        ]
        parts.append("\n".join([f"{name}:", *(f"- {line}" for line in lines)]))
    return _HEADER + "\n\n".join(parts) + "\n"


def _of(
    session: Session, columns: Mapping[str, ColumnType], key: Sequence[str], rows: int
) -> list[dict[str, Any]]:
    asked = []
    for column, kind in columns.items():
        c = quoted(column)
        extremes = f"min({c}), max({c})" if kind in ("integer", "number") else "null, null"
        asked.append(f"count({c}), approx_count_distinct({c}), {extremes}")
    row = session.rows(f"select {', '.join(asked)} from seen")[0]
    found: list[dict[str, Any]] = [{"check": "schema", "columns": dict(columns)}]
    if rows:
        found.append({"check": "volume", "atLeast": max(1, rows // 2)})
    if key:
        found.append({"check": "unique", "columns": list(key), "else": "quarantine"})
    for index, (column, kind) in enumerate(columns.items()):
        c = quoted(column)
        there, distinct, least, most = row[index * 4 : index * 4 + 4]
        if there == rows:
            found.append({"check": "complete", "column": column, "else": "quarantine"})
        elif there:
            share = int(there / rows * 100) / 100
            if share > 0:
                found.append({"check": "complete", "column": column, "atLeast": share, "else": "warn"})
        if kind == "string" and 0 < distinct <= FEW:
            values = session.rows(f"select distinct {c} from seen where {c} is not null order by 1")
            found.append(
                {"check": "allowed", "column": column, "values": [one[0] for one in values], "else": "warn"}
            )
        elif least is not None and least == least and most == most and least != most:
            found.append(
                {"check": "range", "column": column, "atLeast": least, "atMost": most, "else": "warn"}
            )
    return found

"""Which columns a load has, and of which types: those that the table holds, else those that the files say."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.api.sources import ColumnType, Source
from trimtab.ports.engine import Scan, Session
from trimtab.ports.tables import TableVersion
from trimtab.steps.ingest.inference import infer
from trimtab.steps.refusals import ColumnForeign, ColumnMissing, ColumnNew, ColumnUnknown


@dataclass(frozen=True, slots=True)
class Plan:
    """Columns of a load.

    Attributes:
        types: type by column, in the table's order.
        sent: what the files send of each; None is text. Columns that no file has are left out.
        undecided: columns without a single value yet, held as text until one says what they are.
    """

    types: Mapping[str, ColumnType]
    sent: Mapping[str, ColumnType | None]
    undecided: frozenset[str]


def plan(
    name: str,
    source: Source,
    scan: Scan,
    session: Session,
    held: TableVersion | None,
    *,
    every_row: bool = False,
) -> Plan:
    """The load's columns.

    Raises:
        DataRefused: a column is missing, new, of a type that no table holds, or named and not there.
    """
    sent = _sent(name, source, scan)
    columns = list(sent) if held is None else _enforced(name, source, scan, sent, held)
    _named(name, source, columns)
    kept = {} if held is None else dict(held.columns)
    for one in () if held is None else held.metadata.get("undecided", ()):
        kept.pop(one, None)
    said: dict[str, ColumnType | None] = {one: sent[one] for one in columns if one in sent}
    text = [one for one in columns if one not in source.cast and one not in kept and said.get(one) is None]
    said |= infer(
        session, scan.alias, [one for one in text if one in sent], source.time_zones, every_row=every_row
    )
    types: dict[str, ColumnType] = {}
    undecided = set()
    for one in columns:
        found = source.cast.get(one) or kept.get(one) or said.get(one)
        if found is None:
            undecided.add(one)
        types[one] = found or "string"
    return Plan(types, {one: sent[one] for one in columns if one in sent}, frozenset(undecided))


def _sent(name: str, source: Source, scan: Scan) -> dict[str, ColumnType | None]:
    sent = {column: kind for column, kind in scan.types.items() if column not in source.ignore}
    for column, kind in scan.foreign.items():
        if column in source.ignore:
            continue
        if source.cast.get(column) != "string":
            raise ColumnForeign(name, column, kind)
        sent[column] = "string"
    for file, columns in scan.columns.items():
        for column in sent:
            if column not in columns and column not in source.accept:
                raise ColumnMissing(
                    name, column, file, nearest(column, [c for c in columns if c not in sent])
                )
    return sent


def _enforced(
    name: str, source: Source, scan: Scan, sent: Mapping[str, ColumnType | None], held: TableVersion
) -> list[str]:
    file = next(iter(scan.columns))
    new = [column for column in sent if column not in held.columns]
    for column in held.columns:
        if column not in sent and column not in source.accept:
            raise ColumnMissing(name, column, file, nearest(column, new))
    for column in new:
        if column not in source.accept:
            where = next(one for one, columns in scan.columns.items() if column in columns)
            raise ColumnNew(name, column, where)
    return [*held.columns, *new]


def _named(name: str, source: Source, columns: Sequence[str]) -> None:
    """Every column that trimtab.yaml names is there."""
    fields: list[tuple[str, Sequence[str]]] = [
        ("load.watermark", [source.load.watermark] if source.load.watermark else []),
        ("load.key", source.load.key),
        ("cast", list(source.cast)),
        ("timeZones", list(source.time_zones)),
    ]
    for field, named in fields:
        for column in named:
            if column not in columns:
                raise ColumnUnknown(name, field, column, nearest(column, columns))


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that looks most like `name`; None if none does."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None

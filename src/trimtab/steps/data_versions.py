"""Which table versions a features table was made of, down to the sources."""

from collections.abc import Mapping
from typing import Any

from trimtab.api.provenance import DataVersion
from trimtab.ports.tables import Pointer, Tables


def data_versions(features: Pointer, tables: Tables) -> tuple[DataVersion, ...]:
    """Every version that a features table rests on, each after those that it was made of; itself last.

    What a table was made of stands in its commit. A table that came out as before was not committed again: then
    these are the versions of the first time, whose rows were such that nothing changed.

    Raises:
        InputRefused: a version is gone.
    """
    found: dict[str, DataVersion] = {}
    _walk(features, tables, found)
    return tuple(found.values())


def _walk(pointer: Pointer, tables: Tables, found: dict[str, DataVersion]) -> str:
    key = f"{pointer.table}@{pointer.version}"
    if key in found:
        return key
    held = tables.at(pointer.table, pointer.version)
    reads = {name: _walk(read, tables, found) for name, read in _reads(held.metadata).items()}
    found[key] = DataVersion(
        table=pointer.table,
        version=pointer.version,
        rows=held.rows,
        digest=held.digest,
        step=held.metadata.get("step", ""),
        files=tuple(held.metadata.get("files", ())),
        reads=reads,
    )
    return key


def _reads(metadata: Mapping[str, Any]) -> dict[str, Pointer]:
    """What a version's commit says that it was made of, by name."""
    reads = dict(metadata.get("reads", {}))
    if of := metadata.get("of"):
        reads[of["table"]] = of
    return {name: Pointer.from_json(read) for name, read in reads.items()}

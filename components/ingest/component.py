"""Files of every source into versioned Delta tables."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest(
    project: str,
    until: str,
    sources: dsl.Output[dsl.Dataset],
) -> NamedTuple("Ingested", [("version", str), ("moment", str)]):
    """Take in what the sources hold before `until`: one Delta table a source.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; no row at or after it is read. "" for now.
        sources: Pointers {table, version, rows, digest} by source.

    Returns:
        version: Changes exactly when the data does.
        moment: `until`, or now where it is empty: the one moment of all later steps.
    """
    from trimtab.bootstrap import rows

    return rows.ingest(project, until, sources)

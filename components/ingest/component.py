"""Files of every source into versioned Delta tables."""

from typing import NamedTuple

from kfp import dsl


@dsl.component(base_image="trimtab:latest", install_kfp_package=False)
def ingest(
    project: str,
    until: str,
    sources: dsl.Output[dsl.Dataset],
) -> NamedTuple("Ingested", [("version", str)]):
    """Take in what the sources hold before `until`: one Delta table a source.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; no row at or after it is read.
        sources: Pointers {table, version, rows, digest} by source.

    Returns:
        version: Changes exactly when the data does.
    """
    from trimtab.bootstrap import component

    return component.ingest(project, until, sources)

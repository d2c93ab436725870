"""The SQL tables of a project over its ingested sources."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def build(
    project: str,
    until: str,
    sources_version: str,
    sources: dsl.Input[dsl.Dataset],
    tables: dsl.Output[dsl.Dataset],
    judged: dsl.Output[dsl.Artifact],
) -> NamedTuple("Built", [("version", str)]):
    """Run each table's SQL over Delta versions; each result is a Delta table that records what it read.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; no row at or after it is read.
        sources_version: From ingest, so that caches see the data change.
        sources: Pointers by source.
        tables: Pointers by table, sources included.
        judged: What the expectations on the sources came to, JSON.

    Returns:
        version: Changes exactly when a table does.
    """
    from trimtab.bootstrap import rows

    return rows.build(project, until, sources_version, sources, tables, judged)

"""Expectations on the tables: fail, quarantine or warn."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate(
    project: str,
    until: str,
    tables_version: str,
    tables: dsl.Input[dsl.Dataset],
    judged: dsl.Input[dsl.Artifact],
    good: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    outcome: dsl.Output[dsl.Artifact],
) -> NamedTuple("Validated", [("version", str)]):
    """Check every expectation; bad rows go to quarantine with the reason, good rows go on.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; no row at or after it is judged, and freshness is measured from it.
        tables_version: From build, so that caches see the data change.
        tables: Pointers by table.
        judged: From build: what the expectations on the sources came to.
        good: Pointers by table, without the rows in quarantine.
        report: Each expectation with its outcome and examples, those on the sources included.
        outcome: The same as JSON.

    Returns:
        version: Changes exactly when the good rows do.
    """
    from trimtab.bootstrap import rows

    return rows.validate(project, until, tables_version, tables, judged, good, report, outcome)

"""Point-in-time features of every example."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def featurize(
    project: str,
    until: str,
    rows_version: str,
    rows: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Dataset],
) -> NamedTuple("Featurized", [("version", str)]):
    """Join each example with what was known at its time; no example is lost.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; no label known after it is read.
        rows_version: From validate, so that caches see the data change.
        rows: Pointers by table.
        features: A pointer {table, version, rows, digest} to features, label, key and time.

    Returns:
        version: Changes exactly when the features do.
    """
    from trimtab.bootstrap import component

    return component.featurize(project, until, rows_version, rows, features)

"""The newest row of every key into the online store."""

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def materialize(
    project: str,
    until: str,
    rows: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
):
    """Bring the online store up to what the tables hold, so that a server finds what training joined.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; rows known at or after it are not written.
        rows: Pointers by table.
        features: Pointer to the features, whose plan says which views are looked up.
    """
    from trimtab.bootstrap import component

    component.materialize(project, until, rows, features)

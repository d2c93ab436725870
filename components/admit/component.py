"""Whether this run is the one of its key that takes effect."""

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def admit(key: str, claims: str, run: str) -> bool:
    """Claim the key for this run; a run that comes second does nothing more.

    Args:
        key: Who asked for this run; "" for a person.
        claims: Namespace in which the key is claimed; "" where nothing else can have started a run of it.
        run: This run's id.

    Returns:
        Whether this run goes on.
    """
    from trimtab.bootstrap import component

    return component.admit(key, claims, run)

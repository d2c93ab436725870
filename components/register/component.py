"""A model folder as a version in the registry."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register(
    project: str,
    until: str,
    key: str,
    claims: str,
    run: str,
    digest: str,
    passed: bool,
    because: str,
    servable: dsl.Input[dsl.Model],
    card: dsl.Output[dsl.Markdown],
) -> NamedTuple("Registered", [("version", str), ("candidate", bool), ("labelled", int)]):
    """Register the folder with its lineage; a model that passed becomes `candidate`.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; the end of its data.
        key: Who asked for this run; "" for a person.
        claims: Namespace in which the key is claimed; "" where there is nothing to claim.
        run: This run's id, which must hold the claim.
        digest: sha256 of the folder's content.
        passed: A refused model is registered as refused and gets no alias.
        because: Why.
        servable: Pointer to the model folder.
        card: What was registered, and where it comes from.

    Returns:
        version: The registry's version.
        candidate: Whether it now holds the alias; a rejected revision never does again.
        labelled: Rows with a label that it learned from.
    """
    from trimtab.bootstrap import component

    return component.register(project, until, key, claims, run, digest, passed, because, servable, card)

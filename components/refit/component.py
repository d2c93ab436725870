"""The judged model, fitted anew on all rows."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refit(
    project: str,
    window: str,
    model_version: str,
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    final: dsl.Output[dsl.Model],
) -> NamedTuple("Refitted", [("version", str)]):
    """Fit on all rows, validation and test included, with everything that was learned there frozen.

    Held-out tails cost the newest data, which is worth most after drift.

    Args:
        project: A bundle's address, which ends in its digest.
        window: As train had it.
        model_version: The tracking run of train, so that caches see the model change.
        features: Pointer to the features.
        model: The model that passed its gates.
        final: The refitted one.

    Returns:
        version: Of the refitted model, for what is made of it.
    """
    from trimtab.bootstrap import component

    return component.refit(project, window, model_version, features, model, final)

"""The judged model, fitted anew on all rows."""

from kfp import dsl


@dsl.component(base_image="trimtab:latest", install_kfp_package=False)
def refit(
    project: str,
    window: str,
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    final: dsl.Output[dsl.Model],
):
    """Fit on all rows, validation and test included, with everything that was learned there frozen.

    Held-out tails cost the newest data, which is worth most after drift.

    Args:
        project: A bundle's address, which ends in its digest.
        window: As train had it.
        features: Pointer to the features.
        model: The model that passed its gates.
        final: The refitted one.
    """
    from trimtab.bootstrap import component

    component.refit(project, window, features, model, final)

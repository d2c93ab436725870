"""A model fitted on the training part of the examples."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(
    project: str,
    until: str,
    window: str,
    features_version: str,
    features: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Trained", [("run", str)]):
    """Fit the project's estimator; parameters and metrics go to MLflow as it runs.

    Args:
        project: A bundle's address, which ends in its digest.
        until: RFC 3339; recorded with the run.
        window: How far back rows go, such as 90d; all for no bound; "" for the project's own.
        features_version: From featurize, so that caches see the data change.
        features: Pointer to the features.
        model: The fitted estimator with its preprocessing.
        metrics: On the validation part.

    Returns:
        run: The tracking run's id.
    """
    from trimtab.bootstrap import component

    return component.train(project, until, window, features_version, features, model, metrics)

"""One ONNX file, preprocessing and model, proven equal to its source."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def export(
    project: str,
    model_version: str,
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    servable: dsl.Output[dsl.Model],
) -> NamedTuple("Exported", [("digest", str)]):
    """Write the folder that a model server serves from, and prove it on real rows.

    Args:
        project: A bundle's address, which ends in its digest.
        model_version: From train or refit, so that caches see the model change.
        features: Pointer to the features, for proof and reference profile.
        model: The fitted estimator.
        servable: Pointer to the model folder.

    Returns:
        digest: sha256 of the folder's content.
    """
    from trimtab.bootstrap import component

    return component.export(project, features, model, servable)

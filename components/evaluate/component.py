"""A model judged on held-out rows, and beside the revision in service."""

from typing import NamedTuple

from kfp import dsl


@dsl.component(base_image="trimtab:latest", install_kfp_package=False)
def evaluate(
    project: str,
    stable: str,
    run: str,
    force_past_gate: bool,
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    curve: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Judged", [("passed", bool), ("because", str)]):
    """Judge a model on held-out rows against its gates and the revision in service.

    Args:
        project: A bundle's address, which ends in its digest.
        stable: Registry version in service; "" when there is none.
        run: The tracking run's id.
        force_past_gate: Let a refused model through, and say so; for demonstrations.
        features: Pointer to the features.
        model: The fitted estimator.
        curve: ROC curve and confusion matrix, for classifiers.
        report: Metrics, calibration, slices, gates.

    Returns:
        passed: Whether every gate holds (or the model was forced past them).
        because: One sentence, the same that the registry keeps.
    """
    from trimtab.bootstrap import component

    return component.evaluate(project, stable, run, force_past_gate, features, model, curve, report)

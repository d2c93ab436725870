"""A model judged on held-out rows, and beside the revision in service."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    project: str,
    window: str,
    stable: str,
    force_past_gate: bool,
    rows_version: str,
    model_version: str,
    rows: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    judged: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    curve: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Judged", [("passed", bool), ("because", str)]):
    """Judge a model on held-out rows against its gates and the revision in service.

    Args:
        project: A bundle's address, which ends in its digest.
        window: As train had it.
        stable: Registry version in service; "" when there is none.
        force_past_gate: Let a refused model through, and say so; for demonstrations.
        rows_version: From validate, so that caches see the data change.
        model_version: The tracking run of train, so that caches see the model change.
        rows: Pointers by table, from which a stable with other features gets its own.
        features: Pointer to the features.
        model: The fitted estimator.
        judged: The fitted estimator, with what it reached.
        metrics: On the test part.
        curve: ROC curve and confusion matrix on the test part.
        report: Metrics with intervals, gates, behaviour, gaps, slices, importances, calibration.

    Returns:
        passed: Whether every gate holds (or the model was forced past them).
        because: One sentence, the same that the registry keeps.
    """
    from trimtab.bootstrap import component

    return component.evaluate(
        project, window, stable, force_past_gate, rows, features, model, judged, metrics, curve, report
    )

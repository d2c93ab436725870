"""A model judged on held-out rows, and beside the revision in service."""

from typing import NamedTuple

from kfp import dsl


@dsl.component(base_image="trimtab:latest", install_kfp_package=False)
def evaluate(
    project: str,
    window: str,
    stable: str,
    force_past_gate: bool,
    rows: dsl.Input[dsl.Dataset],
    features: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Judged", [("passed", bool), ("because", str)]):
    """Judge a model on held-out rows against its gates and the revision in service.

    Args:
        project: A bundle's address, which ends in its digest.
        window: As train had it.
        stable: Registry version in service; "" when there is none.
        force_past_gate: Let a refused model through, and say so; for demonstrations.
        rows: Pointers by table, from which a stable with other features gets its own.
        features: Pointer to the features.
        model: The fitted estimator.
        metrics: On the test part.
        report: Metrics with intervals, gates, behaviour, gaps, slices, importances, calibration.

    Returns:
        passed: Whether every gate holds (or the model was forced past them).
        because: One sentence, the same that the registry keeps.
    """
    from trimtab.bootstrap import component

    return component.evaluate(
        project, window, stable, force_past_gate, rows, features, model, metrics, report
    )

"""What a registered model says of the examples of a period."""

from typing import NamedTuple

from kfp import dsl

from trimtab.api.project import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def predict(
    project: str,
    since: str,
    until: str,
    model: str,
    rows: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
) -> NamedTuple("Predicted", [("version", str), ("predicted", int)]):
    """Answer for each example from `since` until `until`, with features as of its own time; into one table.

    Args:
        project: A bundle's address, which ends in its digest.
        since: RFC 3339; the first example. "" for the first of all.
        until: RFC 3339; no row at or after it is read.
        model: Registry version; "" for the stable one, else the candidate.
        rows: Pointers by table.
        predictions: Pointer to the table of predictions.
        summary: How many, by which model, and how they are spread.

    Returns:
        version: The registry version that answered.
        predicted: How many examples.
    """
    from trimtab.bootstrap import prediction

    return prediction.predict(project, since, until, model, rows, predictions, summary)

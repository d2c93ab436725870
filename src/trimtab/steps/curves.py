"""ROC curve and confusion matrix of a classifier on its test rows, as pipeline UIs draw them."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.api.project import Project
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.learning_rows import read_learning_rows
from trimtab.steps.train import rows_of_window, split

POINTS: Final = 200
"""Of a curve; more are not to be seen."""


@dataclass(frozen=True, slots=True)
class Curves:
    """
    Attributes:
        false_positive_rate, true_positive_rate, threshold: the curve from (0, 0) to (1, 1); empty but for two classes.
        classes: in the order of the matrix.
        confusion: rows by true class, then by the likeliest one.
    """

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    threshold: tuple[float, ...]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


def curves(
    project: Project,
    fitted: Path,
    features: Pointer,
    engine: Engine,
    tables: Tables,
    window: timedelta | None = None,
) -> Curves | None:
    """The curves on the rows that `evaluate` judges on; None where the label is no class.

    Args:
        fitted: folder that train made.
    """
    from sklearn.metrics import confusion_matrix, roc_curve

    model = FittedModel.load(fitted)
    if model.plan.task == "regression":
        return None
    rows = rows_of_window(project, read_learning_rows(features, engine, tables), window)
    test = rows.taken(split(project, rows).test)
    labels, answered = test.filled().astype(int), model.answers(test.features)
    classes = model.plan.classes
    matrix = confusion_matrix(labels, answered.argmax(axis=1), labels=range(len(classes)))
    false, true, threshold = (np.empty(0),) * 3
    if len(classes) == 2 and len(np.unique(labels)) == 2:
        false, true, threshold = roc_curve(labels, answered[:, -1])
        kept = np.unique(np.linspace(0, len(false) - 1, POINTS).astype(int))
        # its first threshold is infinite, which JSON does not know
        false, true, threshold = false[kept], true[kept], np.minimum(threshold[kept], 1.0)
    return Curves(
        false_positive_rate=tuple(false.tolist()),
        true_positive_rate=tuple(true.tolist()),
        threshold=tuple(threshold.tolist()),
        classes=tuple(classes),
        confusion=tuple(tuple(row) for row in matrix.tolist()),
    )

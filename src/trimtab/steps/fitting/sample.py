"""A few training rows as an ONNX file takes them, by which a cheaper form of it is made."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from trimtab.features.columns import Columns, take
from trimtab.features.schema import Field
from trimtab.steps.scoring import inputs

ROWS: Final = 2_000
BATCH: Final = 500


def batches(fields: tuple[Field, ...], rows: Columns) -> Iterator[dict[str, Any]]:
    """The file's inputs for at most 2,000 rows, evenly taken, 500 at a time; shape (rows, 1) each."""
    total = len(next(iter(rows.values())))
    chosen = np.unique(np.linspace(0, total - 1, min(ROWS, total)).astype(np.int64))
    for start in range(0, len(chosen), BATCH):
        yield inputs(fields, take(rows, chosen[start : start + BATCH]))

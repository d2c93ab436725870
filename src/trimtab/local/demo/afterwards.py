"""What each revision would have said of the same flights: scored after the year, by its own ONNX file.

A promoted revision's predecessor is no longer asked, so only this shows what the promotion was worth. The rows are
those of the last run's features table; a revision is not scored on rows that it may have learned from.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.projects.home import Home
from trimtab.ports.registry import ModelVersion
from trimtab.ports.tables import Pointer
from trimtab.quality.blocks import local_days
from trimtab.quality.row_loss import log_losses
from trimtab.steps.learning_rows import LearningRows, read_learning_rows
from trimtab.steps.scoring import served_model
from trimtab.steps.stable import unseen_by

FEATURES: Final = "_features/departures"
ZONE: Final = "America/New_York"
CUT_HOUR: Final = 4


def afterwards(
    home: Home, versions: Mapping[str, ModelVersion], promoted: Sequence[str], first: np.datetime64
) -> dict[str, Any]:
    """Log loss of every version a month on the same flights, and what each promotion gained.

    Args:
        versions: by name; those that were in service or in flight.
        promoted: names in the order in which they came into service.
        first: rows before it are left out.

    Returns:
        monthly: {month, name, rows, log_loss, standard_error}; gains: {month, newer, older, rows, difference,
        standard_error}, the mean paired difference, negative where the newer is better. Standard errors are over
        local days. A month in which a version may have learned from some rows is left out for it.
    """
    rows = _rows(home)
    assert rows.times is not None
    rows = rows.taken(np.isfinite(rows.labels) & (rows.times >= first))
    assert rows.times is not None
    days = local_days(rows.times, ZONE, CUT_HOUR)
    losses = {name: _losses(Path(version.uri), rows) for name, version in versions.items()}
    monthly = [
        {"month": month, "name": name, "rows": count, "log_loss": mean, "standard_error": error}
        for name, values in losses.items()
        for month, count, mean, error in _by_month(values, days)
    ]
    gains = [
        {
            "month": month,
            "newer": newer,
            "older": older,
            "rows": count,
            "difference": mean,
            "standard_error": error,
        }
        for older, newer in pairwise(promoted)
        for month, count, mean, error in _by_month(losses[newer] - losses[older], days)
    ]
    return {"monthly": monthly, "gains": gains}


def _by_month(values: np.ndarray, days: np.ndarray) -> Iterator[tuple[str, int, float, float]]:
    """(month, rows, mean, standard error) of every month in which all values are known."""
    # a local day's number counts from the epoch, so its month is that of its date
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    for month in np.unique(months):
        here = months == month
        if np.isfinite(values[here]).all():
            yield (
                str(month),
                int(here.sum()),
                round(float(values[here].mean()), 4),
                _day_error(values[here], days[here]),
            )


def _rows(home: Home) -> LearningRows:
    tables = DeltaTables(home.tables)
    head = tables.head(FEATURES)
    assert head is not None
    pointer = Pointer(head.name, head.version, head.rows, head.digest)
    return read_learning_rows(pointer, DuckEngine(tables, scratch=home.path / "tmp"), tables)


def _losses(folder: Path, rows: LearningRows) -> np.ndarray:
    """Log loss a row; NaN on rows that the model may have learned from."""
    scores = served_model(folder).answers(rows.features)[:, -1]
    return np.where(unseen_by(folder, rows), log_losses(rows.labels, scores), np.nan)


def _day_error(values: np.ndarray, days: np.ndarray) -> float:
    """Standard error of a mean whose rows come in correlated days: that of the ratio of day sums."""
    unique, place = np.unique(days, return_inverse=True)
    totals, rows = np.bincount(place, weights=values), np.bincount(place)
    count = len(unique)
    if count < 2:
        return float("nan")
    left = totals - values.mean() * rows
    return round(float(np.sqrt((left**2).sum() * count / (count - 1)) / rows.sum()), 4)

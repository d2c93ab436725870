"""Which rows teach, which stop the fit, and which judge: by time where there is one, else at random."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from trimtab.api.project import Split
from trimtab.features.columns import Array
from trimtab.steps.fitting.refusals import TrainingRefused

LEAST_ROWS = 20
SHARE_WITHOUT_TIME = 0.15


@dataclass(frozen=True, slots=True)
class Parts:
    """Masks over the rows, shape (rows,) each; rows in none of them lie in a gap."""

    training: Array
    validation: Array
    test: Array


def split_by_time(times: Array, split: Split, mature_after: timedelta) -> Parts:
    """Training, then a gap, validation, a gap, and test, each before the next.

    The gap (label.matureAfter unless stated) keeps out rows whose labels were not known when the next part
    begins. A share (0.15) instead of a duration counts rows from the newest back.

    Args:
        times: datetime64[us], none missing.

    Raises:
        TrainingRefused: a part holds fewer than 20 rows.
    """
    gap = np.timedelta64(mature_after if split.gap == "auto" else split.gap, "us")
    end = times.max() + np.timedelta64(1, "us")
    test_start = _start(times, end, split.test)
    validation_end = test_start - gap
    validation_start = _start(times, validation_end, split.validation)
    return _checked(
        Parts(
            times < validation_start - gap,
            (times >= validation_start) & (times < validation_end),
            times >= test_start,
        )
    )


def split_at_random(rows: int, split: Split, seed: int) -> Parts:
    """The same shares drawn at random; a duration is taken as a share of 0.15.

    Raises:
        TrainingRefused: a part holds fewer than 20 rows.
    """
    draw = np.random.default_rng(seed).permutation(rows)
    test, validation = (
        round(rows * (SHARE_WITHOUT_TIME if isinstance(share, timedelta) else share))
        for share in (split.test, split.validation)
    )
    return _checked(
        Parts(draw >= test + validation, (draw >= test) & (draw < test + validation), draw < test)
    )


def _start(times: Array, end: np.datetime64, length: timedelta | float) -> np.datetime64:
    if isinstance(length, timedelta):
        return np.datetime64(end - np.timedelta64(length, "us"))
    before = np.sort(times[times < end])
    place = max(0, len(before) - round(len(times) * length))
    return np.datetime64(before[place]) if place < len(before) else end


def _checked(parts: Parts) -> Parts:
    counts = {
        "training": int(parts.training.sum()),
        "validation": int(parts.validation.sum()),
        "test": int(parts.test.sum()),
    }
    if few := [name for name, rows in counts.items() if rows < LEAST_ROWS]:
        raise TrainingRefused(
            f"the {few[0]} rows are {counts[few[0]]}, of {', '.join(f'{n} {name}' for name, n in counts.items())}",
            remedy="shorten training.split.validation and test, or give them as shares (0.15); or bring more rows",
        )
    return parts

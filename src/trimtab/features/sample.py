"""Made-up inputs for a transform, for a check before there is any data."""

from collections.abc import Mapping

import numpy as np

from trimtab.features.columns import DTYPES, MISSING, Array, Kind

MISSING_SHARE = 0.1
START = np.datetime64("2013-01-01", "us")
YEAR_S = 31_536_000


def synthetic_inputs(kinds: Mapping[str, Kind], rows: int = 1_000, seed: int = 7) -> dict[str, Array]:
    """Inputs of these kinds, shape (rows,) each: both signs and zero, short words, a year of times, a tenth missing.

    >>> synthetic_inputs({"x": "number", "word": "string"}, rows=3)["word"].tolist()
    ['Ä-4', 'a', 'b']
    """
    draw = np.random.default_rng(seed)
    inputs: dict[str, Array] = {}
    for name, kind in kinds.items():
        values: Array
        if kind == "number":
            values = np.round(draw.normal(0, 100, rows))
        elif kind == "boolean":
            values = draw.integers(0, 2, rows).astype(np.float64)
        elif kind == "string":
            values = draw.choice(np.array(["a", "b", "c", "Ä-4"], object), rows)
        else:
            values = START + draw.integers(0, YEAR_S, rows) * np.timedelta64(1, "s")
        values = values.astype(DTYPES[kind])
        values[draw.random(rows) < MISSING_SHARE] = MISSING[kind]
        inputs[name] = values
    return inputs

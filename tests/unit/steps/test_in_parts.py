"""Statistics of columns that come in parts are those of the whole, to the bit, however they are cut."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trimtab.features.columns import Columns
from trimtab.features.schema import Field
from trimtab.steps.fitting import in_parts
from trimtab.steps.fitting.in_parts import learned, recut
from trimtab.steps.fitting.preprocessing import fit_by_parts, fit_preprocessing

NUMBERS = arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.one_of(st.just(np.nan), st.just(-0.0), st.floats(allow_infinity=False, width=32)),
)
CUTS = st.lists(st.integers(0, 40), max_size=4).map(sorted)


def in_cuts(columns: Columns, cuts: Sequence[int]) -> list[Columns]:
    rows = len(next(iter(columns.values())))
    edges = [0, *(min(cut, rows) for cut in cuts), rows]
    return [{name: values[a:b] for name, values in columns.items()} for a, b in pairwise(edges)]


@settings(deadline=None)
@given(NUMBERS, CUTS)
def test_a_median_by_its_bits_is_the_median(x: np.ndarray, cuts: list[int]) -> None:
    found = learned(["x"], [], lambda _: in_cuts({"x": x}, cuts), np.zeros(len(x)))[0]["x"]
    known = x[~np.isnan(x)].astype(np.float32).astype(np.float64)
    assert (found.rows, found.known) == (len(x), len(known))
    if len(known):
        assert found.median == np.median(known)
        filled = np.where(np.isnan(x), found.median, x)
        assert found.mean == pytest.approx(filled.mean(), rel=1e-9, abs=1e-9 * np.abs(filled).max())
        assert found.deviation == pytest.approx(filled.std(), rel=1e-6, abs=1e-9 * np.abs(filled).max())


@settings(deadline=None)
@given(NUMBERS, CUTS, st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_the_bits_are_those_of_the_whole(x: np.ndarray, cuts: list[int], summed_rows: int, seed: int) -> None:
    words = np.random.default_rng(seed).choice(np.array(["", "a", "b", "c"], object), len(x))
    target = (np.arange(len(x)) % 3 == 0).astype(float)
    fields = (Field("x", "number"), Field("word", "string"))
    columns = {"x": x, "word": words}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(in_parts, "SUMMED_ROWS", summed_rows)
        whole = fit_preprocessing(fields, columns, target, "binary")
        cut = fit_by_parts(
            fields,
            lambda names: in_cuts({name: columns[name] for name in names}, cuts),
            target,
            "binary",
        )
    assert whole == cut


@settings(deadline=None)
@given(st.integers(1, 60), CUTS, st.integers(1, 20))
def test_recut_keeps_every_row_in_order(rows: int, cuts: list[int], size: int) -> None:
    parts = list(recut(in_cuts({"x": np.arange(rows)}, cuts), size))
    assert np.concatenate([part["x"] for part in parts]).tolist() == list(range(rows))
    assert all(len(part["x"]) == size for part in parts[:-1])

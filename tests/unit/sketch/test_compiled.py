"""The compiled pass counts exactly what the NumPy passes count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trimtab.sketch import Grid, NumberSketch, compiled, learn_grid

pytestmark = pytest.mark.xdist_group("numba")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = hnp.arrays(
    np.float64, st.integers(1, 80), elements=st.one_of(FINITE, st.sampled_from([0.0, -0.0, 1.0]))
)


@pytest.fixture(scope="module", autouse=True)
def numba():
    import numba

    return numba


@settings(deadline=None, max_examples=60)
@given(reference=COLUMNS, values=COLUMNS, bits=st.sampled_from([16, 18]))
def test_bit_equal_on_any_column(reference, values, bits):
    learned = learn_grid("x", reference, "number")
    grid = Grid("x", "number", learned.centre, learned.scale, bits, atoms=learned.atoms[::3])
    expected = np.bincount(grid.cells_of(values), minlength=grid.cells)
    assert (compiled.dense(grid, values) == expected).all()


def test_long_columns_take_it_and_give_the_same_sketch(monkeypatch):
    values = np.random.default_rng(0).normal(size=20_000)
    grid = learn_grid("x", values, "number")
    expected = NumberSketch.empty(grid).add(values)
    monkeypatch.setattr(compiled, "WORTH_ROWS", 10_000)
    assert compiled.worthwhile(grid, len(values))
    monkeypatch.setattr(Grid, "cells_of", None)  # the NumPy passes cannot run
    assert NumberSketch.empty(grid).add(values) == expected


def test_piecewise_grids_and_short_columns_do_not_take_it():
    assert not compiled.worthwhile(Grid("x", "number", bits=16), 1_000)
    assert not compiled.worthwhile(Grid("x", "number", bits=16, knots=(0.0, 1.0)), 10**12)

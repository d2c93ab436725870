import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trimtab.sketch import (
    ColumnNotNumeric,
    Grid,
    GridsDiffer,
    NumberSketch,
    Pair,
    add,
    empty,
    from_bytes,
    learn_grid,
    merge,
)
from trimtab.sketch.buckets import buckets, lower_edges
from trimtab.sketch.learn import NARROWEST

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
COLUMNS = hnp.arrays(np.float64, st.integers(0, 60), elements=ANY)
FEW = hnp.arrays(
    np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e308, -1e308, 5e-324])
)


def not_tiny(value):
    return value == 0 or abs(value) > NARROWEST


@st.composite
def grids(draw):
    reference = draw(st.one_of(COLUMNS, FEW))
    grid = learn_grid("x", reference, "number")
    if draw(st.booleans()):
        return grid
    knots = sorted(set(draw(st.lists(st.floats(-1e6, 1e6).filter(not_tiny), min_size=2, max_size=20))))
    bits = draw(st.sampled_from([16, 18]))
    return Grid(
        "x", "number", grid.centre, grid.scale, bits, tuple(knots) if len(knots) > 1 else (), grid.atoms
    )


@given(grid=grids(), parts=st.lists(COLUMNS, min_size=1, max_size=5))
def test_a_sketch_of_parts_is_the_sketch_of_the_whole(grid, parts):
    whole = NumberSketch.empty(grid).add(np.concatenate(parts))
    assert merge([NumberSketch.empty(grid).add(part) for part in parts]) == whole


@given(
    grid=grids(), parts=st.permutations([np.array([1.0, 2.0]), np.array([np.nan, 7.0]), np.array([np.inf])])
)
def test_the_order_of_merging_does_not_matter(grid, parts):
    whole = NumberSketch.empty(grid).add(np.array([1.0, 2.0, np.nan, 7.0, np.inf]))
    assert merge([NumberSketch.empty(grid).add(part) for part in parts]) == whole


@given(grid=grids(), column=COLUMNS)
def test_bytes_give_back_the_sketch(grid, column):
    sketch = NumberSketch.empty(grid).add(column)
    assert from_bytes(sketch.to_bytes(), grid) == sketch
    assert Grid.from_json(grid.to_json()).grid_id == grid.grid_id


@given(grid=grids(), column=COLUMNS)
def test_every_row_is_counted_once(grid, column):
    sketch = NumberSketch.empty(grid).add(column)
    assert sketch.rows == len(column)
    assert sketch.missing == np.isnan(column).sum()
    assert (sketch.plus_inf, sketch.minus_inf) == ((column == np.inf).sum(), (column == -np.inf).sum())


@given(grid=grids(), values=hnp.arrays(np.float64, st.integers(2, 60), elements=FINITE))
def test_cells_keep_the_order_of_values(grid, values):
    ascending = np.sort(values)
    cells = grid.cells_of(ascending)
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 0
    assert cells.max() < grid.cells


@given(reference=FEW, values=hnp.arrays(np.float64, st.integers(1, 60), elements=FINITE))
def test_an_atom_shares_its_cell_with_no_other_value(reference, values):
    grid = learn_grid("x", reference, "number")
    for atom in grid.atoms:
        alone = grid.cells_of(np.array([atom]))[0]
        assert set(values[grid.cells_of(values) == alone]) <= {atom}


@given(grid=grids(), values=hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e9, 1e9)))
def test_a_value_lies_within_the_span_of_its_cell(grid, values):
    low, high = grid.spans(grid.cells_of(values))
    slack = 1e-6 * np.abs(values) + 1e-6 * abs(grid.centre) + 1e-6 * grid.scale
    slack += 1e-6 * np.ptp(grid.knots) if grid.knots else 0.0  # a float32 rounds by 6e-8 of the range
    assert (values - slack <= high).all()
    assert (values + slack >= low).all()


@given(hnp.arrays(np.float64, 40, elements=st.floats(-3e38, 3e38)), st.sampled_from([16, 18]))
def test_bucket_edges_are_the_least_numbers_of_their_buckets(values, bits):
    found = buckets(values, bits)
    edges = lower_edges(found, bits)
    assert (buckets(edges, bits) == found).all()
    assert (edges <= values.astype(np.float32)).all()


def test_large_batches_count_like_small_ones():
    column = np.random.default_rng(3).normal(size=20_000)
    grid = learn_grid("x", column, "number")
    small = merge([NumberSketch.empty(grid).add(part) for part in np.array_split(column, 10)])
    assert NumberSketch.empty(grid).add(column) == small


def test_times_keep_their_microseconds_apart_and_count_like_their_numbers():
    times = np.datetime64("2026-01-01", "us") + np.arange(5_000).astype("m8[s]")
    numbers = times.astype(np.int64).astype(float)
    grid = learn_grid("at", numbers, "timestamp")
    assert len(empty(grid).add(times).cells) > 1_000
    assert empty(grid).add(times) == empty(grid).add(numbers)
    assert empty(grid).add(np.array(["NaT", "2026-01-01"], "M8[s]")).missing == 1


def test_distant_modes_are_told_apart():
    """True KS 0.348 between modes a thousand spreads apart; one affine map of 16 bits reads 0.194."""
    rng = np.random.default_rng(0)
    reference = np.concatenate([rng.normal(0, 1, 60_000), rng.normal(1_000, 1, 40_000)])
    current = np.concatenate([rng.normal(0, 1, 60_000), rng.normal(1_000.9, 1, 40_000)])
    grid = learn_grid("x", reference, "number")
    pair = Pair.of(empty(grid).add(reference), empty(grid).add(current))
    found = np.abs(np.cumsum(pair.current - pair.reference)).max() / 100_000
    edges = np.sort(np.concatenate([reference, current]))
    true = (
        np.abs(
            np.searchsorted(np.sort(reference), edges, "right")
            - np.searchsorted(np.sort(current), edges, "right")
        ).max()
        / 100_000
    )
    assert found == pytest.approx(true, abs=0.002)


@pytest.mark.parametrize(
    "column",
    [
        np.array([]),
        np.full(50, np.nan),
        np.full(50, np.inf),
        np.full(50, 3.25),
        np.array([7.0]),
        np.array([1e308, -1e308] * 30),
        np.arange(100),
        np.array([True, False, True]),
    ],
    ids=["empty", "all missing", "all infinite", "constant", "one row", "huge", "integers", "booleans"],
)
def test_odd_references_have_grids(column):
    grid = learn_grid("x", np.asarray(column, float), "number")
    sketch = empty(grid).add(column)
    assert sketch.rows == len(column)
    assert empty(grid).add(np.linspace(-5, 5, 1000)).finite == 1000


def test_a_constant_column_is_exact():
    grid = learn_grid("x", np.full(50, 3.25), "number")
    assert grid.atoms == (3.25,)
    assert (grid.cells_of(np.array([3.25, np.nextafter(3.25, 4), np.nextafter(3.25, 3)])) != 0).all()
    assert len(set(grid.cells_of(np.array([3.25, np.nextafter(3.25, 4), np.nextafter(3.25, 3)])))) == 3


def test_texts_in_a_numeric_column_are_refused_by_name():
    grid = learn_grid("price", np.arange(9.0), "number")
    with pytest.raises(ColumnNotNumeric, match="price"):
        add(empty(grid), np.array(["a", "b"], object))


def test_sketches_of_two_grids_do_not_merge():
    one, other = (empty(learn_grid("x", np.arange(n) * 1.0, "number")) for n in (10, 20))
    with pytest.raises(GridsDiffer, match="'x'"):
        merge([one, other])
    with pytest.raises(GridsDiffer):
        Pair.of(one, other)
    with pytest.raises(GridsDiffer):
        from_bytes(one.to_bytes(), other.grid)


@settings(max_examples=200)
@given(damage=st.binary(max_size=200), place=st.integers(0, 120))
def test_damaged_bytes_are_refused_and_never_raise_otherwise(damage, place):
    from trimtab.sketch import SketchUnreadable

    grid = learn_grid("x", np.arange(50) * 1.0, "number")
    whole = empty(grid).add(np.arange(50)).to_bytes()
    data = whole[:place] + damage
    if data == whole:
        return
    with pytest.raises((SketchUnreadable, GridsDiffer)):
        from_bytes(data, grid)

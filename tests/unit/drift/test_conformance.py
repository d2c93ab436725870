"""What must hold of every measure in the registry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.drift import CATEGORY, NUMBER
from trimtab.sketch import Grid, Pair, empty, learn_grid, merge

EVERY = [(kind, name) for kind, table in (("number", NUMBER), ("category", CATEGORY)) for name in table]
WITH_P = [
    ("number", name)
    for name in ("ks", "psi", "jensen_shannon", "hellinger", "kullback_leibler", "mean_shift", "std_shift")
] + [
    ("category", name)
    for name in ("chi_square", "g_test", "psi", "jensen_shannon", "hellinger", "kullback_leibler")
]
LETTERS = np.array(list("abcdefghij"), object)
SHIFTS = (0.0, 0.3, 0.7, 1.5)


def measure(kind, name):
    return (NUMBER if kind == "number" else CATEGORY)[name].of


def pair(kind, reference, current, rows_per_unit=1.0):
    grid = (
        Grid("x", "category")
        if kind == "category"
        else learn_grid("x", np.asarray(reference, float), "number")
    )
    return Pair.of(empty(grid).add(reference), empty(grid).add(current), rows_per_unit)


def sample(kind, rng, rows, shift=0.0):
    """Rows of a column that moves with `shift`; a new category grows with it."""
    if kind == "number":
        return rng.normal(shift, 1 + shift / 2, rows)
    weights = np.exp(-0.3 * np.arange(10) * (1 - shift / 2))
    weights[9] *= shift
    return LETTERS[rng.choice(10, rows, p=weights / weights.sum())]


def exchanged(pair):
    return Pair(
        pair.current,
        pair.reference,
        pair.low,
        pair.high,
        pair.centre,
        pair.scale,
        pair.labels,
        pair.complete,
        pair.rows_per_unit,
    )


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_zero_on_identical_data(kind, name):
    column = sample(kind, np.random.default_rng(0), 5_000)
    assert measure(kind, name)(pair(kind, column, column)).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_grows_with_the_shift(kind, name):
    rng = np.random.default_rng(1)
    reference = sample(kind, rng, 20_000)
    values = [
        measure(kind, name)(pair(kind, reference, sample(kind, rng, 20_000, shift))).value for shift in SHIFTS
    ]
    assert values == sorted(values)
    assert values[-1] > 0.1


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, name in EVERY if (NUMBER if kind == "number" else CATEGORY)[name].symmetric],
)
def test_symmetric_where_it_should_be(kind, name):
    rng = np.random.default_rng(2)
    seen = pair(kind, sample(kind, rng, 6_000), sample(kind, rng, 3_000, 0.5))
    assert measure(kind, name)(seen).value == pytest.approx(measure(kind, name)(exchanged(seen)).value)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_the_order_of_merging_does_not_matter(kind, name):
    rng = np.random.default_rng(3)
    reference, current = sample(kind, rng, 5_000), sample(kind, rng, 5_000, 0.5)
    grid = Grid("x", "category") if kind == "category" else learn_grid("x", reference, "number")
    parts = [empty(grid).add(part) for part in np.array_split(current, 5)]
    before = empty(grid).add(reference)
    one, other = (measure(kind, name)(Pair.of(before, merge(held))) for held in (parts, parts[::-1]))
    assert one == other


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize("rows", [0, 1, 19])
def test_undefined_and_never_zero_on_too_few_rows(kind, name, rows):
    rng = np.random.default_rng(4)
    seen = measure(kind, name)(pair(kind, sample(kind, rng, 1_000), sample(kind, rng, rows)))
    assert seen.value is None
    assert "rows" in seen.reason


ODD_NUMBERS = {
    "constant": np.full(500, 3.0),
    "all missing": np.full(500, np.nan),
    "all infinite": np.full(500, np.inf),
    "some infinite": np.concatenate([np.arange(480.0), np.full(10, np.inf), np.full(10, -np.inf)]),
    "huge": np.array([1e308, -1e308] * 250),
    "tiny": np.array([5e-324, 0.0] * 250),
    "half missing": np.where(np.arange(500) % 2, np.nan, np.arange(500.0)),
}
ODD_CATEGORIES = {
    "constant": np.full(500, "a", object),
    "all missing": np.full(500, None, object),
    "all different": np.arange(500).astype(str).astype(object),
}
ODD = [("number", a, b) for a in ODD_NUMBERS for b in ODD_NUMBERS] + [
    ("category", a, b) for a in ODD_CATEGORIES for b in ODD_CATEGORIES
]


@pytest.mark.parametrize(("kind", "one", "other"), ODD)
def test_every_odd_column_has_an_answer(kind, one, other):
    columns = ODD_NUMBERS if kind == "number" else ODD_CATEGORIES
    seen = pair(kind, columns[one], columns[other])
    for name, held in (NUMBER if kind == "number" else CATEGORY).items():
        answer = held.of(seen)
        assert (answer.value is None) == (answer.reason is not None), name
        if answer.value is not None:
            assert np.isfinite(answer.value), name
            assert answer.value >= 0, name
        if answer.p_value is not None:
            assert 0 <= answer.p_value <= 1, name


def test_columns_of_very_many_categories_have_answers():
    values = np.arange(60_000).astype(str).astype(object)
    seen = pair("category", values, values[::-1])
    for name, held in CATEGORY.items():
        answer = held.of(seen)
        assert answer.value is None or answer.value < 0.02, name
    assert "10,000" in CATEGORY["new_category_share"].of(seen).reason


@pytest.mark.parametrize(("kind", "name"), WITH_P)
@pytest.mark.parametrize(
    ("rows_per_unit", "block"), [(1.0, 1), (10.0, 10)], ids=["rows", "blocks of ten rows"]
)
def test_false_alarms_stay_at_or_below_the_stated_rate(kind, name, rows_per_unit, block):
    """400 exchangeable pairs, 5 % stated: at most 8.5 % seen (three standard errors), also where rows repeat."""
    rng = np.random.default_rng(5)
    grid = (
        Grid("x", "category") if kind == "category" else learn_grid("x", sample(kind, rng, 20_000), "number")
    )
    alarms = 0
    for _ in range(400):
        one, other = (
            empty(grid).add(np.repeat(sample(kind, rng, rows // block), block)) for rows in (2_000, 1_000)
        )
        alarms += measure(kind, name)(Pair.of(one, other, rows_per_unit)).p_value < 0.05
    assert alarms <= 0.085 * 400


@pytest.mark.parametrize(("kind", "name"), WITH_P)
def test_no_p_value_where_the_worth_of_a_row_is_unknown(kind, name):
    rng = np.random.default_rng(6)
    seen = measure(kind, name)(
        pair(kind, sample(kind, rng, 2_000), sample(kind, rng, 2_000), rows_per_unit=None)
    )
    assert seen.value is not None
    assert seen.p_value is None


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=12),
)
def test_any_counts_have_an_answer(counts):
    reference, current = zip(*counts, strict=True)
    for table in (NUMBER, CATEGORY):
        for name, held in table.items():
            seen = Pair.of_counts(reference, current)
            answer = held.of(seen)
            assert (answer.value is None) == (answer.reason is not None), name
            assert answer.value is None or (np.isfinite(answer.value) and answer.value >= 0), name

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential import Bounds
from trimtab.sequential.against_reference import bounds_above
from trimtab.sequential.t_mixture import Blocks, bounds

days = st.lists(st.tuples(st.integers(-100, 100).map(float), st.integers(50, 150)), min_size=1, max_size=30)


@given(days, st.floats(-0.5, 0.5))
def test_a_reference_known_exactly_only_shifts_the_bounds(held, reference):
    found, plain = (
        bounds_above(Blocks.of(held), reference, 0.0, 0.05, 0.05),
        bounds(Blocks.of(held), 0.05, 0.05),
    )
    if found.lower > -inf:
        assert abs(found.lower - (plain.lower - reference)) < 1e-9
        assert abs(found.upper - (plain.upper - reference)) < 1e-9


@given(days, st.floats(0, 1), st.floats(0, 1))
def test_a_worse_known_reference_never_narrows_the_bounds(held, a, b):
    small, large = sorted((a, b))
    sure, unsure = (bounds_above(Blocks.of(held), 0.0, error, 0.05, 0.05) for error in (small, large))
    assert unsure.lower <= sure.lower <= sure.upper <= unsure.upper


def test_too_few_blocks_say_nothing():
    assert bounds_above(Blocks.of([(1.0, 1.0)] * 6), 0.0, 0.1, 0.05, 0.05) == Bounds()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential.bernstein import Bounded, bounds

units = st.lists(st.floats(-2, 3), max_size=60)


@given(units, st.integers(0, 60))
def test_units_in_parts_count_as_the_whole(x, cut):
    fresh = Bounded(-2.0, 3.0, alpha=0.05)
    whole, parts = fresh.add(x), fresh.add(x[:cut]).add(x[cut:])
    assert whole.n == parts.n
    assert whole.weighted == pytest.approx(parts.weighted, rel=1e-6, abs=1e-9)
    assert whole.spent == pytest.approx(parts.spent, rel=1e-6, abs=1e-9)


def test_the_mean_is_covered_at_every_look():
    rng, missed = np.random.default_rng(2), 0
    for _ in range(200):
        evidence = Bounded(0.0, 1.0, alpha=0.05)
        for _look in range(15):
            evidence = evidence.add(rng.beta(1, 4, 100))
            found = bounds(evidence)
            if not found.lower <= 0.2 <= found.upper:
                missed += 1
                break
    assert missed / 200 <= 0.1


@pytest.mark.parametrize("unit", [float("nan"), float("inf"), 1.2])
def test_a_unit_outside_the_range_is_refused(unit):
    with pytest.raises(ValueError, match="outside"):
        Bounded(0.0, 1.0, alpha=0.05).add([unit])

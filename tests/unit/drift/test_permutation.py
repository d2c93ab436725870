import numpy as np
import pytest

from trimtab.drift import NUMBER, permuted_p_value
from trimtab.sketch import empty, learn_grid

GRID = learn_grid("x", np.random.default_rng(0).normal(size=5_000), "number")


def days(rng, count, shift=0.0):
    """Days that each have a level of their own: rows of one day are not independent."""
    return [empty(GRID).add(rng.normal(rng.normal(shift), 1, 50)) for _ in range(count)]


@pytest.mark.parametrize("name", ["anderson_darling", "energy", "ks"])
def test_days_without_drift_are_rarely_called_drifted(name):
    rng = np.random.default_rng(1)
    found = [
        permuted_p_value(NUMBER[name], days(rng, 12), days(rng, 6), seed, 99).p_value for seed in range(60)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.13


@pytest.mark.parametrize("name", ["anderson_darling", "energy", "ks"])
def test_a_large_shift_is_found(name):
    rng = np.random.default_rng(2)
    assert (
        permuted_p_value(NUMBER[name], days(rng, 12), days(rng, 6, shift=4), permutations=199).p_value <= 0.02
    )


def test_the_same_seed_gives_the_same_answer():
    rng = np.random.default_rng(3)
    sides = days(rng, 8), days(rng, 8)
    assert permuted_p_value(NUMBER["energy"], *sides, 7, 99) == permuted_p_value(
        NUMBER["energy"], *sides, 7, 99
    )


def test_few_blocks_are_too_little_to_say():
    rng = np.random.default_rng(4)
    assert permuted_p_value(NUMBER["energy"], days(rng, 3), days(rng, 9)).value is None

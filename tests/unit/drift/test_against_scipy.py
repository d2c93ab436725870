"""Sketched measures beside scipy's on the raw data, within the stated error."""

import numpy as np
import pytest

from trimtab.drift import CATEGORY, NUMBER
from trimtab.sketch import Grid, Pair, empty, learn_grid


@pytest.fixture(scope="module")
def stats():
    import scipy.stats

    return scipy.stats


SHAPES = {
    "normal": lambda rng, shift: rng.normal(shift, 1, 30_000),
    "lognormal": lambda rng, shift: rng.lognormal(shift, 1.5, 30_000),
    "two modes": lambda rng, shift: np.concatenate(
        [rng.normal(0, 1, 15_000), rng.normal(1_000 + shift, 1, 15_000)]
    ),
    "rounded": lambda rng, shift: np.round(rng.normal(shift * 20, 20, 30_000)),
    "spike and tail": lambda rng, shift: np.where(
        rng.random(30_000) < 0.6, 0.0, rng.exponential(1 + shift, 30_000)
    ),
    "timestamps": lambda rng, shift: 1.7e15 + rng.uniform(0, 8.64e10 * (1 + shift), 30_000),
}


def sides(shape, shift=0.2):
    rng = np.random.default_rng(7)
    return SHAPES[shape](rng, 0.0), SHAPES[shape](rng, shift)


def pair(reference, current):
    grid = learn_grid("x", reference, "number")
    return Pair.of(empty(grid).add(reference), empty(grid).add(current), 1.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_ks_lies_within_its_stated_error(stats, shape):
    reference, current = sides(shape)
    true = stats.ks_2samp(reference, current, method="asymp").statistic
    seen = NUMBER["ks"].of(pair(reference, current))
    assert seen.value - 1e-12 <= true <= seen.value + seen.error + 1e-12
    assert seen.error <= 0.006


@pytest.mark.parametrize("shape", SHAPES)
def test_wasserstein_is_that_of_the_clamped_values(stats, shape):
    reference, current = sides(shape)
    seen = pair(reference, current)
    low, high = np.quantile(reference, [0.005, 0.995])
    true = stats.wasserstein_distance(np.clip(reference, low, high), np.clip(current, low, high)) / seen.scale
    assert NUMBER["wasserstein"].of(seen).value == pytest.approx(true, rel=0.03, abs=0.003)


@pytest.mark.parametrize("shape", SHAPES)
def test_energy_is_that_of_the_clamped_values(stats, shape):
    reference, current = sides(shape)
    seen = pair(reference, current)
    low, high = np.quantile(reference, [0.005, 0.995])
    true = stats.energy_distance(np.clip(reference, low, high), np.clip(current, low, high)) / np.sqrt(
        seen.scale
    )
    assert NUMBER["energy"].of(seen).value == pytest.approx(true, rel=0.03, abs=0.003)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", ["normal", "rounded"])
def test_anderson_darling_is_scipys_statistic_before_it_is_standardised(stats, shape):
    reference, current = sides(shape)
    reference, current = reference[:2_000], current[:3_000]
    n, m, total = 2_000, 3_000, 5_000
    k, j = 2, np.arange(1, total)
    h, big = (
        (1 / j).sum(),
        sum((1 / (total - np.arange(1, total - 1))) * np.cumsum(1 / j)[: total - 2][::-1] * 0),
    )
    del h, big, k
    standard = stats.anderson_ksamp([reference, current], midrank=True).statistic
    no_shift = stats.anderson_ksamp([reference, reference.copy()], midrank=True).statistic
    seen = NUMBER["anderson_darling"].of(pair(reference, current)).value * n * m / total
    spread = _deviation(n, m)
    assert seen == pytest.approx(standard * spread + 1, rel=0.02)
    assert no_shift < 0


def _deviation(n, m):
    """The standard deviation of A² with no drift (Scholz & Stephens 1987, equation 4), two samples."""
    total = n + m
    big_h = 1 / n + 1 / m
    h = np.sum(1 / np.arange(1, total))
    inner = np.cumsum(1 / np.arange(total - 1, 1, -1))
    g = np.sum(inner / np.arange(2, total))
    a = (4 * g - 6) * (2 - 1) + (10 - 6 * g) * big_h
    b = (2 * g - 4) * 4 + 8 * h * 2 + (2 * g - 14 * h - 4) * big_h - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * 4 + (4 * h - 4 * g + 6) * 2 + (2 * h - 6) * big_h + 4 * h
    d = (2 * h + 6) * 4 - 4 * h * 2
    return np.sqrt((a * total**3 + b * total**2 + c * total + d) / ((total - 1) * (total - 2) * (total - 3)))


@pytest.mark.parametrize(("name", "lambda_"), [("chi_square", "pearson"), ("g_test", "log-likelihood")])
def test_contingency_tests_are_scipys(stats, name, lambda_):
    counts = np.array([[400, 300, 200, 100], [370, 310, 190, 140]])
    true = stats.chi2_contingency(counts, lambda_=lambda_)
    seen = CATEGORY[name].of(Pair.of_counts(*counts))
    assert seen.effect == pytest.approx(true.statistic)
    assert seen.p_value == pytest.approx(true.pvalue)


def test_jensen_shannon_is_scipys_before_its_bias_is_taken_off(stats):
    from scipy.spatial.distance import jensenshannon

    reference, current = np.array([4000, 3000, 2000, 1000]), np.array([3000, 3500, 2000, 1500])
    seen = CATEGORY["jensen_shannon"].of(Pair.of_counts(reference, current))
    assert seen.effect == pytest.approx(jensenshannon(reference, current, 2), rel=1e-3)
    assert seen.value**2 == pytest.approx(seen.effect**2 - 3 * 2e-4 / (8 * np.log(2)))


def test_means_and_spreads_are_those_of_the_clamped_values():
    reference, current = sides("normal", 0.5)
    low, high = np.quantile(reference, [0.005, 0.995])
    a, b = np.clip(reference, low, high), np.clip(current, low, high)
    seen = pair(reference, current)
    assert NUMBER["mean_shift"].of(seen).effect == pytest.approx((b.mean() - a.mean()) / a.std(), abs=0.003)
    assert NUMBER["std_shift"].of(seen).effect == pytest.approx(np.log(b.std() / a.std()), abs=0.003)


def test_categories_without_drift_read_no_bias():
    """105 categories and 1,000 rows: JS reads about 0.14 before the correction."""
    rng = np.random.default_rng(8)
    values = np.arange(105).astype(str).astype(object)
    grid = Grid("dest", "category")
    reference = empty(grid).add(values[rng.integers(0, 105, 100_000)])
    found = [
        CATEGORY["jensen_shannon"]
        .of(Pair.of(reference, empty(grid).add(values[rng.integers(0, 105, 1_000)])))
        .value
        for _ in range(50)
    ]
    assert np.mean(found) < 0.03

"""The search names the slice that is bad, and nothing where nothing is."""

import numpy as np

from trimtab.quality.slice_search import worst_slices


def rows_of(rng, days=14, a_day=60, spread=0.5):
    """Features, one of them constant a day, and losses that a day's rows share in part."""
    day = np.repeat(np.arange(days), a_day)
    n = len(day)
    features = {
        "carrier": np.array(["AA", "B6", "EV", "UA", ""], dtype=object)[rng.integers(0, 5, n)],
        "distance": rng.exponential(500, n),
        "pressure": rng.normal(size=days)[day],  # as weather does: all rows of a day are alike
        "visib": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 3, n)),
        "dest": np.array([f"D{k}" for k in range(30)], dtype=object)[rng.integers(0, 30, n)],
    }
    return features, np.exp(rng.normal(0, 1, n) + rng.normal(0, spread, days)[day]), day


def test_where_nothing_is_wrong_at_most_one_search_in_twenty_reports_anything():
    """Though each looks at 80 slices, losses are skewed, and rows of a day resemble each other."""
    rng = np.random.default_rng(11)
    false = 0
    for trial in range(100):
        found = worst_slices(*rows_of(rng, a_day=200), trial)
        assert found.looked_at > 60
        false += bool(found.slices)
    assert false <= 11  # 5 of 100, and three standard errors


def test_a_bad_pair_is_found_and_told_with_its_size():
    rng = np.random.default_rng(5)
    features, losses, day = rows_of(rng, a_day=300)
    bad = (features["carrier"] == "EV") & (features["distance"] > np.quantile(features["distance"], 0.75))
    losses = losses + 3.0 * bad
    found = worst_slices(features, losses, day, 7)
    worst = found.slices[0]
    assert {condition.feature for condition in worst.conditions} == {"carrier", "distance"}
    assert worst.rows == bad.sum()
    assert worst.lower <= losses[bad].mean() - losses[~bad].mean() <= worst.upper
    assert 2 < worst.difference < 4
    assert "carrier = EV" in {condition.text for condition in worst.conditions}
    assert worst_slices(features, losses, day, 7) == found


def test_missing_values_are_a_slice():
    rng = np.random.default_rng(6)
    features, losses, day = rows_of(rng, a_day=200)
    found = worst_slices(features, losses + 2.0 * np.isnan(features["visib"]), day, 7)
    assert [condition.text for condition in found.slices[0].conditions] == ["visib is missing"]


def test_a_few_days_say_that_they_cannot_tell():
    features, losses, day = rows_of(np.random.default_rng(1), days=5)
    found = worst_slices(features, losses, day, 7)
    assert (found.slices, found.looked_at) == ((), 0)
    assert "5 days" in found.because

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.drift import (
    MeasureUnknown,
    Override,
    Settings,
    Trip,
    Watch,
    WindowsOverlap,
    judge,
    learn_profile,
)
from trimtab.drift.many import rejected
from trimtab.drift.windows import DAY_S
from trimtab.sketch import add

DAYS, A_DAY = 40, 500
START = datetime(2026, 1, 1, tzinfo=UTC)


def table(seed, rows, **shift):
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(shift.get(name, 0.0), 1, rows) for name in ("a", "b", "c", "d")}
    columns["twin"] = columns["a"] + rng.normal(size=rows) * 0.05
    columns["city"] = np.array(list("xyz"), object)[rng.choice(3, rows, p=[0.5, 0.3, 0.2])]
    return columns


@pytest.fixture(scope="module")
def profile():
    times = np.datetime64("2026-01-01", "s") + (np.arange(DAYS * A_DAY) * DAY_S // A_DAY).astype("m8[s]")
    return learn_profile(table(0, DAYS * A_DAY), times, min_rows=A_DAY)


def window(profile, columns):
    return {name: add(sketch, columns[name]) for name, sketch in profile.empty().items() if name in columns}


SETTINGS = Settings(min_rows=200)


def test_a_window_like_the_reference_is_stable(profile):
    verdict = judge(profile, window(profile, table(1, A_DAY)), SETTINGS, DAY_S)
    assert verdict.tripped is False
    assert (verdict.drifted, verdict.judged) == (0, 5)


def test_a_moved_column_is_named_with_its_evidence(profile):
    verdict = judge(profile, window(profile, table(2, A_DAY, b=1.0)), SETTINGS, DAY_S)
    worst = verdict.columns[0]
    assert verdict.tripped
    assert (worst.column, worst.measure, worst.drifted) == ("b", "ks", True)
    assert worst.value > worst.threshold
    assert worst.p_value < 1e-6
    assert worst.because
    assert "1 of 5 columns drifted: b" in verdict.because


def test_related_columns_count_once(profile):
    verdict = judge(profile, window(profile, table(3, A_DAY, a=1.0)), SETTINGS, DAY_S)
    assert sum(bool(one.drifted) for one in verdict.columns) == 2
    assert (verdict.drifted, verdict.judged) == (1, 5)


def test_a_column_gone_missing_has_drifted(profile):
    columns = table(4, A_DAY) | {"c": np.full(A_DAY, np.nan)}
    worst = judge(profile, window(profile, columns), SETTINGS, DAY_S).columns[0]
    assert (worst.column, worst.drifted, worst.value) == ("c", True, None)
    assert "100.0%" in worst.note


def test_new_categories_are_named(profile):
    columns = table(5, A_DAY) | {"city": np.array(["x", "new"] * (A_DAY // 2), object)}
    worst = judge(profile, window(profile, columns), SETTINGS, DAY_S).columns[0]
    assert (worst.column, worst.new) == ("city", ("new",))


@pytest.mark.parametrize(
    ("rows", "coverage", "why"),
    [(50, 1.0, "50 rows"), (0, 1.0, "0 rows"), (A_DAY, 0.5, "50%"), (A_DAY, None, "not known")],
)
def test_too_little_evidence_is_unknown_and_never_stable(profile, rows, coverage, why):
    verdict = judge(profile, window(profile, table(6, rows, b=3.0)), SETTINGS, DAY_S, coverage)
    assert verdict.tripped is None
    assert why in verdict.because


def test_a_share_that_nobody_can_know_is_no_hindrance_where_none_is_asked_for(profile):
    seen = window(profile, table(6, 2_000, b=3.0))
    assert judge(profile, seen, replace(SETTINGS, min_coverage=0.0), DAY_S, None).tripped
    unknown = judge(profile, seen, SETTINGS, DAY_S, None)
    assert unknown.tripped is None
    assert "minCoverage: '0'" in unknown.because


def test_nothing_seen_is_unknown(profile):
    assert judge(profile, {}, SETTINGS, DAY_S).tripped is None


def test_a_column_that_is_not_there_is_undefined(profile):
    columns = {name: column for name, column in table(7, A_DAY).items() if name != "d"}
    verdict = judge(profile, window(profile, columns), SETTINGS, DAY_S)
    assert next(one for one in verdict.columns if one.column == "d").drifted is None
    assert verdict.judged == 4


def test_overrides_choose_measure_and_threshold_and_leave_out(profile):
    settings = Settings(
        min_rows=200,
        overrides=(
            Override("b", measure="wasserstein", threshold=9.0),
            Override("b", ignore=True),
            Override("c*", ignore=True),
        ),
    )
    verdict = judge(profile, window(profile, table(8, A_DAY, b=1.0)), settings, DAY_S)
    held = {one.column: one for one in verdict.columns}
    assert set(held) == {"a", "b", "d", "twin"}
    assert (held["b"].measure, held["b"].threshold, held["b"].drifted) == ("wasserstein", 9.0, False)


def test_unknown_measures_are_refused_by_name(profile):
    with pytest.raises(MeasureUnknown, match="kss"):
        Settings(number="kss")
    with pytest.raises(MeasureUnknown, match="city"):
        judge(
            profile,
            window(profile, table(9, A_DAY)),
            Settings(overrides=(Override("city", measure="ks"),)),
            DAY_S,
        )


def test_every_measure_can_be_the_default(profile):
    from trimtab.drift import CATEGORY, NUMBER

    for number in NUMBER:
        verdict = judge(
            profile, window(profile, table(10, A_DAY, b=2.0)), Settings(number, min_rows=200), DAY_S
        )
        assert verdict.columns[0].column == "b" or number == "std_shift", number
    for category in CATEGORY:
        assert (
            judge(
                profile, window(profile, table(11, A_DAY)), Settings(category=category, min_rows=200), DAY_S
            ).tripped
            is False
        ), category


def test_few_false_windows_on_an_unchanged_world(profile):
    tripped = [
        judge(profile, window(profile, table(seed, A_DAY)), SETTINGS, DAY_S).tripped
        for seed in range(100, 160)
    ]
    assert sum(tripped) <= 2


def test_the_promised_episodes_set_the_level_of_a_window():
    """Two of three weekly windows over 90 days: W · 3 · p² = 1."""
    level = Settings().p_window(7 * DAY_S)
    assert 90 / 7 * 3 * level**2 == pytest.approx(1.0)
    assert Settings(episodes=2).p_window(7 * DAY_S) > level


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=20), st.floats(0.001, 0.5))
def test_benjamini_hochberg_rejects_the_smallest(p_values, level):
    found = rejected(p_values, level)
    assert all(p_values[name] <= level for name in found)
    assert found >= {name for name, p in p_values.items() if p <= level / len(p_values)}
    kept = [p for name, p in p_values.items() if name not in found]
    assert all(p_values[name] <= p for name in found for p in kept)


def watched(trips, trip):
    watch = Watch()
    for number, tripped in enumerate(trips):
        watch = watch.seen(
            START + number * timedelta(days=1), START + (number + 1) * timedelta(days=1), tripped, trip
        )
    return watch


@given(st.lists(st.sampled_from([True, False, None]), max_size=30), st.integers(1, 4), st.integers(0, 3))
def test_an_episode_opens_iff_k_of_some_n_known_windows_tripped(trips, k, more):
    n = k + more
    known = [tripped for tripped in trips if tripped is not None]
    expected = any(sum(known[max(0, end - n) : end]) >= k for end in range(1, len(known) + 1))
    assert watched(trips, Trip(k, n)).open == expected


def test_unknown_windows_are_neither_counted_nor_forgotten():
    assert watched([True, None, None, True], Trip(2, 3)).open
    assert not watched([True, None, False, False, True], Trip(2, 3)).open


def test_overlapping_windows_are_refused():
    watch = watched([True], Trip(2, 3))
    with pytest.raises(WindowsOverlap):
        watch.seen(START + timedelta(hours=12), START + timedelta(hours=36), True, Trip(2, 3))

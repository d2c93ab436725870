import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.drift import LabelRule, Profile, ProfileUnreadable, ReferenceUnusable, learn_profile
from trimtab.drift.dependence import block_sums
from trimtab.drift.related import groups
from trimtab.drift.tally import tally
from trimtab.drift.thresholds import threshold
from trimtab.drift.windows import DAY_S, HOUR_S, cut, seconds
from trimtab.sketch import add, empty, from_bytes, learn_grid

DAYS = 60
A_DAY = 400


@pytest.fixture(scope="module")
def reference():
    """60 days of 400 rows: a steady number, its double, weather that lasts for days, and two categories."""
    rng = np.random.default_rng(0)
    rows = DAYS * A_DAY
    day = np.repeat(np.arange(DAYS), A_DAY)
    weather = np.zeros(DAYS)
    for number in range(1, DAYS):
        weather[number] = 0.8 * weather[number - 1] + rng.normal()
    steady = rng.normal(size=rows)
    columns = {
        "steady": steady,
        "double": steady * 2 + rng.normal(size=rows) * 0.1,
        "weather": weather[day] + rng.normal(size=rows) * 0.05,
        "city": np.array(["a", "b", "c", ""], object)[rng.choice(4, rows, p=[0.5, 0.3, 0.1, 0.1])],
        "flag": rng.random(rows) < 0.3,
    }
    times = np.datetime64("2026-01-01", "s") + (day * DAY_S + np.tile(np.arange(A_DAY) * 216, DAYS)).astype(
        "m8[s]"
    )
    return columns, times


@pytest.fixture(scope="module")
def profile(reference):
    columns, times = reference
    return learn_profile(
        columns,
        times,
        min_rows=300,
        label=LabelRule("late", "known_at", 86_400, "exclude"),
        key=("id",),
        time="at",
        time_zone="America/New_York",
        reference_skills=(0.01, -0.02),
        classes=("no", "yes"),
    )


def test_a_profile_gives_itself_back(profile):
    again = Profile.from_bytes(profile.to_bytes())
    assert again == profile
    assert again.to_bytes() == profile.to_bytes()
    assert again.label == LabelRule("late", "known_at", 86_400, "exclude")
    assert (again.key, again.time_zone, again.classes) == (("id",), "America/New_York", ("no", "yes"))


def test_rows_and_times_are_those_of_the_reference(profile):
    assert profile.rows == DAYS * A_DAY
    assert profile.start.isoformat() == "2026-01-01T00:00:00+00:00"
    assert profile.end.date().isoformat() == "2026-03-01"
    assert {name: sketch.rows for name, sketch in profile.sketches.items()} == dict.fromkeys(
        profile.columns, 24_000
    )


def test_the_default_window_is_the_shortest_that_holds_enough_rows(reference):
    columns, times = reference
    assert [
        learn_profile({"steady": columns["steady"]}, times, min_rows=rows).window_s
        for rows in (10, 60, 300, 1_000)
    ] == [HOUR_S, 6 * HOUR_S, DAY_S, 7 * DAY_S]


def test_weather_is_seasonal_and_noise_is_not(profile):
    assert profile.seasonal("weather", DAY_S)
    assert profile.seasonal("steady", DAY_S) is None
    assert profile.seasonal("city", DAY_S) is None


def test_with_few_windows_every_column_is_seasonal(reference):
    columns, times = reference
    short = learn_profile({"steady": columns["steady"][: 5 * A_DAY]}, times[: 5 * A_DAY])
    assert "fewer than 8" in short.seasonal("steady", DAY_S)


def test_columns_that_say_the_same_are_one_group(profile):
    group = {name: column.group for name, column in profile.columns.items()}
    assert group["steady"] == group["double"]
    assert len(set(group.values())) == 4


def test_thresholds_grow_with_the_reference_s_own_restlessness(profile):
    held = {
        name: column.thresholds[DAY_S]["ks"] for name, column in profile.columns.items() if name != "city"
    }
    assert held["steady"] == pytest.approx(0.1, abs=0.03)
    assert held["weather"] > 0.5


def test_design_effects_say_how_many_rows_weigh_as_one(profile):
    assert profile.columns["steady"].day_effect == pytest.approx(1.0, abs=0.5)
    assert profile.columns["weather"].day_effect == pytest.approx(A_DAY, rel=0.1)


def test_without_times_nothing_is_learned_of_windows(reference):
    bare = learn_profile(reference[0])
    assert (bare.window_s, bare.windows, bare.start) == (None, {}, None)
    assert bare.columns["weather"].day_effect is None
    assert Profile.from_bytes(bare.to_bytes()) == bare


def test_rows_without_a_time_are_in_no_window(reference):
    columns, times = reference
    some = times.copy()
    some[::2] = np.datetime64("NaT")
    profile = learn_profile({"steady": columns["steady"]}, some)
    assert profile.rows == len(times)
    assert profile.columns["steady"].sketch.rows == len(times)


@pytest.mark.parametrize(
    ("columns", "times", "why"),
    [
        ({}, None, "no columns"),
        ({"a": np.empty(0)}, None, "no rows"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, None, "'a' has 3 rows, 'b' has 4"),
        ({"a": np.zeros(3)}, np.zeros(2, "M8[s]"), "3 rows"),
        ({"a": np.zeros(3)}, np.full(3, "NaT", "M8[s]"), "has a time"),
    ],
)
def test_a_reference_that_cannot_be_learned_from_is_refused(columns, times, why):
    with pytest.raises(ReferenceUnusable, match=why):
        learn_profile(columns, times)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda held: held.update(version=2), "version 2"),
        (lambda held: held.update(format="other"), "format"),
        (lambda held: held.pop("columns"), "'columns' is missing"),
        (lambda held: held.update(columns=[]), "items"),
        (lambda held: held["columns"]["steady"].update(sketch="AAAA"), "not a sketch"),
        (lambda held: held["columns"]["steady"]["grid"].update(scale=9.0), "different grids"),
        (lambda held: held["columns"]["steady"].update(group="x"), "invalid literal"),
        (lambda held: held.update(label={"nonsense": 1}), "nonsense"),
        (lambda held: held.update(start="yesterday"), "yesterday"),
    ],
)
def test_a_damaged_profile_is_refused_with_the_reason(profile, change, why):
    held = json.loads(profile.to_bytes())
    change(held)
    with pytest.raises(ProfileUnreadable, match=why):
        Profile.from_bytes(json.dumps(held).encode())


@settings(max_examples=50)
@given(st.binary(max_size=100))
def test_garbage_is_refused(data):
    with pytest.raises(ProfileUnreadable):
        Profile.from_bytes(data)


def test_any_cut_of_a_profile_is_refused(profile):
    data = profile.to_bytes()
    for end in range(0, len(data) - 1, len(data) // 97):
        with pytest.raises(ProfileUnreadable):
            Profile.from_bytes(data[:end])


def test_sketches_on_the_profile_s_grids_survive_the_wire(profile):
    sketch = add(profile.empty()["city"], np.array(["a", "z"], object))
    assert from_bytes(sketch.to_bytes(), Profile.from_bytes(profile.to_bytes()).grids["city"]) == sketch


@given(st.lists(st.floats(0, 1), min_size=2, max_size=300), st.floats(0, 0.5))
def test_a_threshold_is_never_under_its_floor_nor_under_the_mean_of_what_was_seen(values, floor):
    bound = threshold(values, floor)
    assert bound >= floor
    assert bound >= np.mean(values) - 1e-12


@given(st.integers(1, 400), st.integers(1, 10))
def test_windows_are_disjoint_and_hold_each_row_at_most_once(hours, length_hours):
    times = np.datetime64("2026-01-01", "s") + (np.arange(hours) * HOUR_S).astype("m8[s]")
    found = cut(seconds(times), length_hours * HOUR_S)
    assert found.count == len(set(found.block[found.block >= 0].tolist()))
    assert (np.diff(found.block[found.block >= 0]) >= 0).all()


def test_rows_that_repeat_in_blocks_of_ten_weigh_as_one_in_ten():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=3_000), 10)
    block = np.repeat(np.arange(3_000), 10)
    sketch = add(empty(learn_grid("x", values, "number")), values)
    assert block_sums(tally(sketch, values), block, 3_000).design_effect() == pytest.approx(10, rel=0.01)


def test_categories_that_determine_each_other_are_related():
    rng = np.random.default_rng(2)
    one = rng.integers(0, 5, 2_000)
    found = groups({}, {"a": one, "b": (one + 1) % 5, "c": rng.integers(0, 5, 2_000)})
    assert found["a"] == found["b"] != found["c"]

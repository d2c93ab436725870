"""The serving plan survives JSON, and its views are placed as max_age says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features.inputs import entity_keys, placed, unknown_keys
from trimtab.features.plan import LabelRule, PlannedColumn, PlannedView, PlanRefused, ServingPlan
from trimtab.features.schema import Field

VIEW = PlannedView("weather", ("origin",), "time_hour", 3600.0, (PlannedColumn("temp", "temp_f", "number"),))
PLAN = ServingPlan(
    model_name="flights",
    inputs=(Field("origin", "string"), Field("at", "timestamp")),
    key=("id",),
    time="at",
    views=(VIEW, PlannedView("planes", ("origin",), None, None, (PlannedColumn("name", "name", "string"),))),
    transform_digest="ab" * 32,
    outputs=(Field("temp_f", "number"),),
    task="binary",
    classes=("false", "true"),
    label=LabelRule("late", "known_at", 86_400.0),
    time_zone="America/New_York",
)


@given(st.text(min_size=1), st.floats(0, 1e9), st.lists(st.text(min_size=1), max_size=3))
def test_a_plan_is_its_json(name: str, mature_after_s: float, key: list[str]) -> None:
    plan = replace(PLAN, model_name=name, key=tuple(key), label=LabelRule(name, None, mature_after_s, "0"))
    assert ServingPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', PLAN.to_json().replace('"task"', '"tusk"')]
)
def test_a_damaged_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanRefused):
        ServingPlan.from_json(text)


def test_a_row_past_max_age_is_missing_and_one_at_it_is_not() -> None:
    at = np.datetime64("2013-01-01T12:00", "us")
    hour, second = np.timedelta64(3600, "s"), np.timedelta64(1, "s")
    times = np.array([at - hour, at - hour - second, at + second, np.datetime64("NaT")])
    found = placed(VIEW, times, {"temp": np.array([1.0, 2.0, 3.0, np.nan])}, np.full(4, at))
    np.testing.assert_array_equal(found["temp_f"], [1.0, np.nan, 3.0, np.nan])


def test_a_column_that_the_store_lacks_is_missing_throughout() -> None:
    found = placed(PLAN.views[1], np.zeros(2, "datetime64[us]"), {}, None)
    assert found["name"].tolist() == ["", ""]


def test_keys_name_a_row_alike_for_writer_and_reader() -> None:
    two = replace(VIEW, by=("origin", "gate"))
    keys = entity_keys(
        two, {"origin": np.array(["JFK", "", "LGA"], object), "gate": np.array([7.0, 1.0, 2.5])}
    )
    assert keys == ["JFK\x1f7", None, "LGA\x1f2.5"]
    assert entity_keys(replace(VIEW, by=("n",)), {"n": np.array([np.nan, 3.0])}) == [None, "3"]


def test_null_and_unknown_keys_are_counted_apart() -> None:
    times = np.array(["NaT", "NaT", "2013-01-01"], "datetime64[us]")
    assert unknown_keys([None, "x", "y"], times) == (1, 1)

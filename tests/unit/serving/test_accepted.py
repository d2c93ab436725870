"""What a model takes, in the three forms of a request."""

import pytest

from trimtab.features import Field, ServingPlan
from trimtab.features.plan import LabelRule, PlannedColumn, PlannedView
from trimtab.serving.accepted import Accepted
from trimtab.serving.values import RequestRefused
from trimtab.serving.wire import Asked
from trimtab.serving.wire import Field as Values


def plan(key=("id",)) -> ServingPlan:
    return ServingPlan(
        model_name="m",
        inputs=(Field("at", "timestamp"), Field("city", "string")),
        key=key,
        time="at",
        views=(PlannedView("weather", ("city",), "at", 60.0, (PlannedColumn("t", "temp", "number"),)),),
        transform_digest="",
        outputs=(Field("hour", "number"), Field("temp", "number")),
        task="binary",
        classes=("0", "1"),
        label=LabelRule("y", None, 0.0),
    )


def rows(finished=False, key=("id",), **fields):
    asked = Asked({name: Values(values) for name, values in fields.items()}, 2, finished)
    return Accepted(plan(key)).rows(asked)


TIMES = ["1970-01-01T00:00:01Z", None]


def test_a_request_of_fields_has_no_columns_of_views():
    got = rows(at=TIMES, city=["a", None])
    assert set(got.columns) == {"at", "city"}
    assert got.times_us == [1_000_000, None]
    assert got.keys is None


def test_columns_of_views_may_come_along():
    assert set(rows(at=TIMES, city=["a", "b"], temp=[1, 2]).columns) == {"at", "city", "temp"}


def test_finished_features_may_carry_their_time_and_key():
    got = rows(finished=True, hour=[1, 2], temp=[3, 4], at=TIMES, id=["k", "l"])
    assert set(got.columns) == {"hour", "temp"}
    assert got.times_us == [1_000_000, None]
    assert got.keys == ["k", "l"]
    assert rows(finished=True, hour=[1, 2], temp=[3, 4]).times_us is None


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        ({"a": ["x", "y"], "b": [1, 2.0]}, ["x|1", "y|2"]),
        ({"a": ["x", None], "b": [1, 2]}, ["x|1", None]),
        ({"a": ["x", ""], "b": [0, 0.5]}, ["x|0", None]),
        ({"a": ["x", "y"]}, None),
    ],
)
def test_a_key_of_several_columns_is_joined(parts, keys):
    assert rows(key=("a", "b"), at=TIMES, city=["a", "b"], **parts).keys == keys


def test_a_key_that_is_a_field_too_stays_a_field():
    got = rows(key=("city",), at=TIMES, city=["a", None])
    assert got.keys == ["a", None]
    assert "city" in got.columns


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"at": TIMES}, "input 'city' is missing"),
        (
            {"at": TIMES, "city": ["a", "b"], "town": ["a", "b"]},
            "input 'town' is unknown; the model takes at, city",
        ),
        ({"at": TIMES, "city": ["a", "b"], "id": [True, "k"]}, "input 'id', row 0: a key is"),
        ({"at": TIMES, "city": ["a", "b"], "id": ["k", float("inf")]}, "input 'id', row 1: a key is"),
        ({"finished": True, "hour": [1, 2]}, "input 'temp' is missing"),
        ({"finished": True, "hour": [1, 2], "temp": [1, 2], "city": ["a", "b"]}, "input 'city' is unknown"),
    ],
)
def test_what_does_not_fit_is_named(fields, says):
    with pytest.raises(RequestRefused, match=says):
        rows(**fields)

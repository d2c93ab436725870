"""Rows of a user's table as requests of the endpoint."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from trimtab.api.errors import DataRefused, InputRefused, SurroundingsFailed
from trimtab.features.plan import LabelRule, PlannedColumn, PlannedView, ServingPlan
from trimtab.features.schema import Field
from trimtab.local.endpoint import Endpoint

PLAN = ServingPlan(
    model_name="shop",
    inputs=(Field("n", "number"), Field("s", "string"), Field("b", "boolean"), Field("t", "timestamp")),
    key=("id",),
    time="t",
    views=(PlannedView("late", ("s",), None, None, (PlannedColumn("rate", "rate", "number"),)),),
    transform_digest="",
    outputs=(Field("n", "number"),),
    task="binary",
    classes=("0", "1"),
    label=LabelRule("y", None, 0.0),
)
ROW = {"id": 7, "n": "1.5", "s": 3, "b": "yes", "t": "2024-01-01T10:00:00", "y": 1}


@pytest.fixture
def endpoint():
    return Endpoint("http://127.0.0.1:9/v1/models/shop:predict", PLAN, Path("none"))


def test_each_field_goes_in_its_kind_and_the_label_stays_here(endpoint):
    (row,) = endpoint.rows([ROW], "rows.csv")
    assert row == {"id": 7, "n": 1.5, "s": "3", "b": True, "t": "2024-01-01T10:00:00+00:00"}
    assert endpoint.key(row) == "7"


@pytest.mark.parametrize("nothing", ["", None, "NA", "?", float("nan")])
def test_marks_of_no_value_become_null(endpoint, nothing):
    (row,) = endpoint.rows([{**ROW, "n": nothing, "s": nothing, "b": nothing, "t": nothing}], "rows.csv")
    assert [row[name] for name in ("n", "s", "b", "t")] == [None] * 4


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
        (date(2024, 1, 1), "2024-01-01T00:00:00+00:00"),
        ("2024-01-01T02:00:00+02:00", "2024-01-01T02:00:00+02:00"),
    ],
)
def test_times_are_sent_with_an_offset(endpoint, given, sent):
    assert endpoint.rows([{**ROW, "t": given}], "rows.csv")[0]["t"] == sent


def test_a_column_of_a_view_replaces_its_look_up_where_it_is_given(endpoint):
    assert endpoint.rows([{**ROW, "rate": 0.2}], "rows.csv")[0]["rate"] == 0.2
    assert "rate" not in endpoint.rows([ROW], "rows.csv")[0]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("n", "many", "is no number"), ("b", "perhaps", "neither true nor false"), ("t", "soon", "is no time")],
)
def test_a_value_of_another_kind_is_named_with_file_row_and_field(endpoint, field, value, said):
    with pytest.raises(DataRefused, match=said) as refused:
        endpoint.rows([ROW, {**ROW, field: value}], "rows.csv")
    assert f"rows.csv, row 2, '{field}'" in refused.value.message


def test_a_missing_field_and_no_rows_are_refused(endpoint):
    with pytest.raises(DataRefused, match="lacks 'n'"):
        endpoint.rows([{"s": "a", "b": True, "t": None}], "rows.csv")
    with pytest.raises(InputRefused, match="holds no rows"):
        endpoint.rows([], "rows.csv")


def test_an_endpoint_that_is_not_there_is_the_surroundings_fault(endpoint):
    with pytest.raises(SurroundingsFailed, match="cannot be reached"):
        endpoint.predict([{"n": 1}], timeout_s=5)

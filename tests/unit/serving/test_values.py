"""Values off the wire."""

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features.columns import DTYPES, is_missing
from trimtab.serving.values import RequestRefused, column

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
instants = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5.5))),
)
VALUES = {"number": numbers, "string": st.text(min_size=1), "timestamp": instants, "boolean": st.booleans()}
KINDS = st.sampled_from(list(VALUES))


@st.composite
def columns(draw):
    kind = draw(KINDS)
    return kind, draw(st.lists(VALUES[kind] | st.none() | st.just(""), min_size=1, max_size=20))


@given(columns())
def test_a_column_holds_what_was_sent_and_knows_what_was_not(given_column):
    kind, values = given_column
    sent = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    got = column("x", kind, json.loads(json.dumps(sent)))
    assert got.dtype == DTYPES[kind]
    assert got.shape == (len(values),)
    assert is_missing(got).tolist() == [value is None or value == "" for value in values]
    for value, held in zip(values, got, strict=True):
        if value is None or value == "":
            continue
        if kind == "timestamp":
            assert held == np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us")
        else:
            assert held == value


@given(instants)
def test_a_time_is_the_same_as_text_and_as_microseconds(instant):
    micros = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    as_text, as_number = column("t", "timestamp", [instant.isoformat(), micros])
    assert as_text == as_number


WRONG = {
    "number": [True, "1", [], {}],
    "string": [1, 1.5, True, [], {}],
    "timestamp": [True, 1.5, "noon", "2013-07-01", "2013-07-01T12:00:00", 2**62, -(2**62), [], {}],
    "boolean": [0, 1, "true", [], {}],
}


@pytest.mark.parametrize(("kind", "wrong"), [(kind, value) for kind in WRONG for value in WRONG[kind]])
@pytest.mark.parametrize("before", [0, 3])
def test_a_wrong_value_is_named_by_field_and_row(kind, wrong, before):
    with pytest.raises(RequestRefused, match=rf"^input 'x', row {before}: .* is not "):
        column("x", kind, [None] * before + [wrong, None])


def test_a_long_value_is_told_in_short():
    with pytest.raises(RequestRefused) as caught:
        column("x", "number", ["y" * 10_000])
    assert len(caught.value.message) < 120

"""V1 and V2 bodies say the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.serving.values import RequestRefused
from trimtab.serving.wire import parse_v1, parse_v2

names = st.text(min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 6))
    fields = draw(
        st.lists(names.filter(lambda name: name != "features"), min_size=1, max_size=5, unique=True)
    )
    return {name: draw(st.lists(scalars, min_size=rows, max_size=rows)) for name in fields}


@given(tables(), st.booleans(), st.booleans())
def test_both_protocols_give_the_same_fields(table, nested, finished):
    rows = len(next(iter(table.values())))
    inputs = [
        {
            "name": name,
            "datatype": "BYTES",
            "shape": [rows, 1] if nested else [rows],
            "data": [[value] for value in values] if nested else values,
        }
        for name, values in table.items()
    ]
    second = parse_v2(json.dumps({"inputs": inputs, "parameters": {"features": finished}}).encode())
    instances = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    first = parse_v1(json.dumps({"instances": instances, "features": finished}).encode())
    assert first.rows == second.rows == rows
    assert first.finished == second.finished == finished
    for asked in (first, second):
        assert {name: list(field.values) for name, field in asked.fields.items()} == table


json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)
tensor_parts = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("a") | json_values,
        "datatype": st.just("FP64") | json_values,
        "shape": st.just([2]) | json_values,
        "data": st.just([1, 2]) | json_values,
    },
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(tensor_parts | json_values, max_size=3) | json_values,
        "instances": json_values,
        "id": json_values,
        "parameters": json_values,
        "outputs": json_values,
        "features": json_values,
    },
)


@given(bodies | json_values)
def test_whatever_comes_is_taken_or_refused(body):
    raw = json.dumps(body).encode()
    for parse in (parse_v1, parse_v2):
        try:
            asked = parse(raw)
        except RequestRefused:
            continue
        assert asked.rows > 0
        assert all(len(field.values) == asked.rows for field in asked.fields.values())


@given(st.binary(max_size=40))
def test_bytes_that_are_no_request_are_refused(raw):
    for parse in (parse_v1, parse_v2):
        with pytest.raises(RequestRefused):
            parse(raw)

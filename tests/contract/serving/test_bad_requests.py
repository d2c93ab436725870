"""Whatever a client sends, it gets 4xx and a sentence that names the field; never 500."""

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import MODEL, Server, Start, columns, eventually, v1, v2

pytestmark = pytest.mark.xdist_group("serving")


def without(request: dict, name: str) -> dict:
    request["inputs"] = [tensor for tensor in request["inputs"] if tensor["name"] != name]
    return request


def changed(name: str, /, **parts) -> dict:
    """A good V2 request in which one input has other parts; None takes the part away."""
    request = v2(columns())
    for tensor in request["inputs"]:
        if tensor["name"] == name:
            tensor.update(parts)
            for part in [part for part, value in parts.items() if value is None]:
                del tensor[part]
    return request


WRONG_V2 = {
    "a field is missing": (without(v2(columns()), "carrier"), "'carrier' is missing"),
    "two fields are missing": (without(without(v2(columns()), "carrier"), "origin"), "'carrier', 'origin'"),
    "an unknown field": (v2(columns(wings=[1, 2])), "'wings' is unknown"),
    "a field twice": ({"inputs": v2(columns())["inputs"] * 2}, "'scheduled_departure' comes twice"),
    "a number for a string": (v2(columns(carrier=["UA", 5])), "'carrier', row 1: 5 is not a string"),
    "a string for a number": (v2(columns(distance=["far", 1])), "'distance', row 0: 'far' is not a number"),
    "a boolean for a number": (v2(columns(distance=[1, True])), "'distance', row 1: True"),
    "a number for a boolean": (v2(columns(holiday=[0, 1])), "'holiday', row 0: 0 is not true or false"),
    "an object for a number": (v2(columns(distance=[1, {}])), "'distance', row 1"),
    "a list for a string": (v2(columns(carrier=["UA", ["AA"]])), "'carrier', row 1"),
    "no time": (v2(columns(scheduled_departure=["noon", None])), "'scheduled_departure', row 0: 'noon'"),
    "a time with no offset": (
        v2(columns(scheduled_departure=[None, "2013-07-01T12:00:00"])),
        "'scheduled_departure', row 1: '2013-07-01T12:00:00' is not an RFC 3339 time with an offset",
    ),
    "a fraction of a microsecond": (v2(columns(scheduled_departure=[1.5, None])), "row 0: 1.5"),
    "a time beyond the calendar": (
        v2(columns(scheduled_departure=[2**62, None])),
        "'scheduled_departure', row 0",
    ),
    "another datatype": (changed("carrier", datatype="FP64"), "'carrier' has datatype FP64"),
    "an unknown datatype": (changed("distance", datatype="DECIMAL"), "'distance' has datatype DECIMAL"),
    "no datatype": (changed("carrier", datatype=None), "'carrier' has no datatype"),
    "no shape": (changed("carrier", shape=None), "'carrier': 'shape'"),
    "a negative shape": (changed("carrier", shape=[-1]), "'carrier': 'shape'"),
    "a shape of text": (changed("carrier", shape="2"), "'carrier': 'shape'"),
    "a wide shape": (changed("carrier", shape=[1, 2]), "'carrier' has shape [1, 2]"),
    "a deep shape": (changed("carrier", shape=[2, 1, 1]), "'carrier' has shape [2, 1, 1]"),
    "a shape that does not fit": (changed("carrier", shape=[3]), "'carrier' has shape [3]"),
    "another number of rows": (
        changed("carrier", shape=[3], data=["UA"] * 3),
        "'carrier' has 3 rows, input 'scheduled_departure' has 2",
    ),
    "no data": (changed("carrier", data=None), "'carrier': 'data'"),
    "data of text": (changed("carrier", data="UA"), "'carrier': 'data'"),
    "ragged data": (changed("carrier", data=[["UA"], ["AA", "B6"]]), "'carrier'"),
    "no name": (changed("carrier", name=None), "inputs[1] has no name"),
    "a name of number": (changed("carrier", name=7), "inputs[1] has no name"),
    "an input of text": ({"inputs": ["carrier"]}, "inputs[0]"),
    "no rows": (v2({name: [] for name in columns()}), "has no rows"),
    "no inputs": ({}, "'inputs'"),
    "empty inputs": ({"inputs": []}, "'inputs'"),
    "inputs of an object": ({"inputs": {}}, "'inputs'"),
    "an id of number": (v2(columns(), id=3), "'id'"),
    "parameters of text": (v2(columns(), parameters="x"), "'parameters'"),
    "features of text": (v2(columns(), parameters={"features": "yes"}), "'features'"),
    "outputs of text": (v2(columns(), outputs="all"), "'outputs'"),
    "outputs with no name": (v2(columns(), outputs=[{}]), "'outputs'"),
    "fields where features are said": (v2(columns(), parameters={"features": True}), "is unknown"),
    "a missing feature": (v2({"hour": [1]}, parameters={"features": True}), "'distance'"),
    "a key of an object": (v2(columns(flight_id=["UA-1", {}])), "'flight_id'"),
    "a list": ([], "JSON object"),
    "a number": (7, "JSON object"),
    "garbage": (b"{", "no JSON"),
    "bytes that are no text": (b'{"inputs": "\xff\xfe"}', "no JSON"),
    "nothing": (b"", "no JSON"),
    "NaN, which JSON has not": (b'{"inputs": [NaN]}', "no JSON"),
    "a tower of lists": (b"[" * 100_000, "no JSON"),
}

WRONG_V1 = {
    "a field is missing": ({"instances": [{"carrier": "UA"}]}, "'scheduled_departure'"),
    "an unknown field": (v1(columns(wings=[1, 2])), "'wings' is unknown"),
    "rows that differ": (
        {"instances": [*v1(columns())["instances"], {"carrier": "UA"}]},
        "(see row 2)",
    ),
    "a number for a string": (v1(columns(carrier=["UA", 5])), "'carrier', row 1: 5 is not a string"),
    "rows of lists": ({"instances": [[1, 2, 3]]}, "instances[0]"),
    "no rows": ({"instances": []}, "'instances'"),
    "no instances": ({"inputs": []}, "'instances'"),
    "features of text": (v1(columns(), features=1), "'features'"),
    "garbage": (b"\x00\x01", "no JSON"),
}


@pytest.mark.parametrize("case", WRONG_V2)
def test_v2_refuses_and_names_the_field(server: Server, case: str):
    body, says = WRONG_V2[case]
    reply = server.infer(body)
    assert reply.status == 400, reply.body
    assert says in reply.json["error"]


@pytest.mark.parametrize("case", WRONG_V1)
def test_v1_refuses_and_names_the_field(server: Server, case: str):
    body, says = WRONG_V1[case]
    reply = server.predict(body)
    assert reply.status == 400, reply.body
    assert says in reply.json["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from([*columns(), "flight_id", "temp"]),
    part=st.sampled_from(["name", "shape", "datatype", "data", "parameters"]),
    value=json_values,
)
def test_any_value_in_any_part_is_answered_200_or_400(server: Server, field: str, part: str, value):
    request = v2(columns(flight_id=["a", "b"], temp=[1, 2]))
    for tensor in request["inputs"]:
        if tensor["name"] == field:
            tensor[part] = value
    reply = server.infer(json.dumps(request).encode())
    assert reply.status in (200, 400), reply.body


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered_400(server: Server, body: bytes):
    assert server.infer(body).status == 400
    assert server.predict(body).status == 400


def test_a_binary_request_that_does_not_fit_is_refused(server: Server):
    head = json.dumps(v2({"carrier": ["UA"]})).encode()
    reply = server.infer(head, {"inference-header-content-length": str(len(head))})
    assert reply.status == 400
    assert "'scheduled_departure'" in reply.json["error"]
    broken = server.infer(head, {"inference-header-content-length": "3"})
    assert broken.status == 400


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_read(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n".encode()
        )
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"larger than" in answer


def test_a_body_that_grows_too_large_is_refused(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        answer = b""
        for _ in range(40):
            try:
                connection.sendall(chunk)
            except OSError:
                break
        try:
            answer = connection.recv(65536)
        except OSError:
            answer = b"reset"
    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 400")
    assert server.send("GET", "/v2/health/ready").status == 200


def test_a_client_that_leaves_halfway_hurts_nobody(server: Server):
    before = server.logged()["handled"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f'POST /v2/models/{MODEL}/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{{"inp'.encode()
        )
    assert server.infer(v2(columns())).status == 200
    assert eventually(lambda: server.logged()["handled"] == before + 1)


def test_missing_keys_are_refused_where_the_project_says_so(start: Start, online):
    server = start("--online", str(online), "--online-missing", "reject")
    unknown = server.infer(v2(columns(carrier=["UA", "ZZ"])))
    assert unknown.status == 400
    assert "'carrier', row 1" in unknown.json["error"]
    assert "'ZZ'" in unknown.json["error"]
    null = server.infer(v2(columns(origin=[None, "JFK"])))
    assert null.status == 400
    assert "'origin', row 0" in null.json["error"]
    assert server.infer(v2(columns())).status == 200


def test_without_a_store_the_columns_of_views_must_be_sent(start: Start):
    server = start()
    refused = server.infer(v2(columns()))
    assert refused.status == 400
    assert "'temp'" in refused.json["error"]
    given_all = columns(temp=[1, 2], carrier_rate=[0.1, 0.2], carrier_name=["", ""])
    request = v2(given_all)
    request["inputs"][-1]["datatype"] = "BYTES"
    assert server.infer(request).status == 200


def test_a_transform_that_raises_is_a_500_that_says_where(server: Server):
    reply = server.infer(v2(columns(distance=[666, 1])))
    assert reply.status == 500
    assert "a distance that this transform does not like" in reply.json["error"]
    assert "(line " in reply.json["error"]
    assert server.infer(v2(columns())).status == 200

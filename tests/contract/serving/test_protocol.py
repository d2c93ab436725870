"""KServe's V1 and V2 protocols, and the three forms of a request, over real HTTP."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import EXPECTED, MODEL, REVISION, Server, columns, expected, v1, v2

pytestmark = pytest.mark.xdist_group("serving")


def probabilities(reply):
    assert reply.status == 200, reply.body
    (output,) = reply.json["outputs"]
    rows = output["shape"][0]
    assert output["name"] == "probabilities"
    assert output["shape"] == [rows, 2]
    assert output["datatype"] == "FP32"
    late = output["data"][1::2]
    assert output["data"][::2] == pytest.approx([1 - p for p in late], abs=1e-6)
    return late


def test_v2_answers_by_the_protocol(server: Server):
    reply = server.infer(v2(columns(), id="call-7"), {"x-request-id": "r-1"})
    assert probabilities(reply) == pytest.approx(EXPECTED, abs=1e-6)
    assert reply.json["model_name"] == MODEL
    assert reply.json["model_version"] == REVISION
    assert reply.json["id"] == "call-7"
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"] == "r-1"


def test_v1_answers_the_positive_probability_of_each_row(server: Server):
    reply = server.predict(v1(columns()))
    assert reply.status == 200
    assert reply.json == {"predictions": [pytest.approx(p, abs=1e-6) for p in EXPECTED]}


def test_a_request_id_is_made_where_none_came(server: Server):
    ids = {server.infer(v2(columns())).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(each) == 32 for each in ids)
    odd = server.infer(v2(columns()), {"x-request-id": "has blanks in it"})
    assert odd.headers["x-request-id"] != "has blanks in it"


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/health/live", "/v2/models", "/metrics", "/nowhere"])
def test_every_answer_carries_a_request_id(server: Server, path: str):
    assert server.send("GET", path, headers={"x-request-id": "probe"}).headers["x-request-id"] == "probe"


def test_health_and_metadata(server: Server):
    assert server.send("GET", "/v2/health/live").json == {"live": True}
    assert server.send("GET", "/v2/health/ready").json == {"ready": True}
    assert server.send("GET", f"/v2/models/{MODEL}/ready").json == {"name": MODEL, "ready": True}
    assert server.send("GET", f"/v1/models/{MODEL}").json == {"name": MODEL, "ready": True}
    assert server.send("GET", "/v1/models").json == {"models": [MODEL]}
    assert server.send("GET", "/v2").json["name"] == "kserve"
    metadata = server.send("GET", f"/v2/models/{MODEL}").json
    assert metadata["name"] == MODEL
    assert {"name": "carrier", "datatype": "BYTES", "shape": [-1, 1]} in metadata["inputs"]
    assert metadata["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}]


def test_another_model_is_not_found(server: Server):
    reply = server.send("POST", "/v2/models/other/infer", v2(columns()))
    assert reply.status == 404
    assert "other" in reply.json["error"]
    assert server.send("POST", "/v1/models/other:predict", v1(columns())).status == 404
    assert server.send("GET", "/v2/models/other").status == 404


def test_a_time_may_be_whole_microseconds(server: Server):
    micros = [1372685400000000, 1372685400000000]
    request = v2(columns(scheduled_departure=micros))
    request["inputs"][0]["datatype"] = "INT64"
    assert probabilities(server.infer(request)) == pytest.approx(EXPECTED, abs=1e-6)
    assert server.predict(v1(columns(scheduled_departure=micros))).json["predictions"] == pytest.approx(
        EXPECTED, abs=1e-6
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_the_empty_string_are_missing_in_every_kind(server: Server, nothing):
    missing = {name: [nothing, nothing] for name in columns()}
    hand = expected(None, None, None, None, None, "")
    assert probabilities(server.infer(v2(missing))) == pytest.approx([hand, hand], abs=1e-6)
    assert server.predict(v1(missing)).json["predictions"] == pytest.approx([hand, hand], abs=1e-6)


def test_columns_of_views_replace_their_look_up(server: Server):
    given = columns(temp=[10.0, None])
    hand = [expected(13, 500, 10, 0.25, 0, "UA"), expected(13, 1000.5, None, 0.5, 1, "AA")]
    assert probabilities(server.infer(v2(given))) == pytest.approx(hand, abs=1e-6)


def test_finished_features_bypass_look_up_and_transform(server: Server):
    features = {
        "hour": [1.0],
        "distance": [666.0],
        "temp": [None],
        "carrier_rate": [0.1],
        "holiday": [0.0],
        "carrier": ["B6"],
    }
    hand = [expected(1, 666, None, 0.1, 0, "B6")]
    asked = v2(features, parameters={"features": True})
    asked["inputs"][4]["datatype"] = "FP32"
    assert probabilities(server.infer(asked)) == pytest.approx(hand, abs=1e-6)
    assert server.predict(v1(features, features=True)).json["predictions"] == pytest.approx(hand, abs=1e-6)


def test_key_columns_are_optional_and_never_features(server: Server):
    keyed = columns(flight_id=["UA-1", "AA-2"])
    request = v2(keyed)
    request["inputs"][-1]["datatype"] = "BYTES"
    assert probabilities(server.infer(request)) == pytest.approx(EXPECTED, abs=1e-6)


def test_unknown_and_null_keys_give_nulls_and_count(server: Server):
    def count(key: str) -> float:
        text = server.send("GET", "/metrics").body.decode()
        (line,) = [each for each in text.splitlines() if f'key="{key}"' in each and 'view="carriers"' in each]
        return float(line.rsplit(" ", 1)[1])

    before = count("null"), count("unknown")
    reply = server.infer(v2(columns(carrier=[None, "ZZ"], distance=[0, 0], holiday=[False, False])))
    hand = [expected(13, 0, 70, None, 0, ""), expected(13, 0, None, None, 0, "ZZ")]
    assert probabilities(reply) == pytest.approx(hand, abs=1e-6)
    assert (count("null"), count("unknown")) == (before[0] + 1, before[1] + 1)


def test_only_the_outputs_that_were_asked_for(server: Server):
    request = v2(columns(), outputs=[{"name": "probabilities"}])
    assert probabilities(server.infer(request)) == pytest.approx(EXPECTED, abs=1e-6)
    refused = server.infer(v2(columns(), outputs=[{"name": "label"}]))
    assert refused.status == 400
    assert "label" in refused.json["error"]


def test_flat_and_nested_data_are_alike(server: Server):
    request = v2(columns())
    for tensor in request["inputs"]:
        tensor["data"] = [[value] for value in tensor["data"]]
    assert probabilities(server.infer(request)) == pytest.approx(EXPECTED, abs=1e-6)
    for tensor in request["inputs"]:
        tensor["shape"], tensor["data"] = tensor["shape"][:1], [value for (value,) in tensor["data"]]
    assert probabilities(server.infer(request)) == pytest.approx(EXPECTED, abs=1e-6)


def test_binary_tensors_go_through_kserves_own_code(server: Server):
    request, raw = v2(columns()), b""
    for tensor in request["inputs"]:
        data = tensor.pop("data")
        if tensor["datatype"] == "FP64":
            packed = struct.pack("<2d", *data)
        elif tensor["datatype"] == "BOOL":
            packed = struct.pack("<2?", *data)
        else:
            packed = b"".join(struct.pack("<I", len(text)) + text.encode() for text in data)
        tensor["parameters"] = {"binary_data_size": len(packed)}
        raw += packed
    head = json.dumps(request).encode()
    headers = {"inference-header-content-length": str(len(head)), "x-request-id": "bin"}
    reply = server.infer(head + raw, {**headers, "content-type": "application/octet-stream"})
    assert probabilities(reply) == pytest.approx(EXPECTED, abs=1e-6)
    assert reply.headers["x-request-id"] == "bin"


def test_a_cloudevent_goes_through_kserves_own_code(server: Server):
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "e1",
        "ce-source": "test",
        "ce-type": "ask",
        "content-type": "application/json",
    }
    reply = server.predict(v1(columns()), headers)
    assert reply.status == 200, reply.body
    assert reply.json["predictions"] == pytest.approx(EXPECTED, abs=1e-6)


def test_the_same_request_gives_the_same_bytes(server: Server):
    headers = {"x-request-id": "same"}
    assert len({server.infer(v2(columns()), headers).body for _ in range(5)}) == 1


def test_concurrent_requests_do_not_mix(server: Server):
    def ask(number: int) -> tuple[int, list[float]]:
        reply = server.infer(v2(columns(distance=[number, 0], temp=[0, 0])), {"x-request-id": f"n{number}"})
        assert reply.headers["x-request-id"] == f"n{number}"
        return number, probabilities(reply)

    with ThreadPoolExecutor(16) as pool:
        for number, (first, second) in pool.map(ask, range(200)):
            assert first == pytest.approx(expected(13, number, 0, 0.25, 0, "UA"), abs=1e-6)
            assert second == pytest.approx(expected(13, 0, 0, 0.5, 1, "AA"), abs=1e-6)


def test_large_batches_and_odd_text(server: Server):
    rows = 5000
    many = {name: [values[0]] * rows for name, values in columns().items()}
    assert probabilities(server.infer(v2(many))) == pytest.approx([EXPECTED[0]] * rows, abs=1e-6)
    odd = columns(carrier=["é\u0000漢", "x" * 100_000])
    assert server.infer(v2(odd)).status == 200

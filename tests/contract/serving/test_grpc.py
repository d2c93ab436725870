"""V2 over gRPC: the answers, refusals and events of REST, by the stubs that KServe ships, over real HTTP/2."""

import json
import signal
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import (
    EXPECTED,
    MODEL,
    REVISION,
    Collecting,
    Logged,
    Server,
    Start,
    columns,
    eventually,
    launch,
    v2,
)

pytestmark = pytest.mark.xdist_group("serving")

CONTENTS = {
    "BOOL": "bool_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
SOON_S = 60


@dataclass
class Client:
    """KServe's stub at a server."""

    pb: Any
    stub: Any
    channel: Any

    def message(self, request: dict[str, Any], **more: Any) -> Any:
        """A V2 request of REST, as a message."""
        asked = self.pb.ModelInferRequest(model_name=MODEL, id=request.get("id", ""), **more)
        for tensor in request.get("inputs", ()):
            added = asked.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
            texts = tensor["datatype"] == "BYTES"
            values = [
                (v or "").encode() if texts else float("nan") if v is None else v for v in tensor["data"]
            ]
            getattr(added.contents, CONTENTS.get(tensor["datatype"], "fp64_contents")).extend(values)
        for name, value in request.get("parameters", {}).items():
            asked.parameters[name].bool_param = value
        for output in request.get("outputs", ()):
            asked.outputs.add(name=output["name"])
        return asked

    def infer(self, asked: Any, *metadata: tuple[str, str]) -> Any:
        request = self.message(asked) if isinstance(asked, dict) else asked
        return self.stub.ModelInfer(request, timeout=SOON_S, metadata=metadata)

    def refused(self, asked: Any, *metadata: tuple[str, str]) -> tuple[str, str]:
        """The name of the status, and what it says."""
        import grpc

        with pytest.raises(grpc.RpcError) as failed:
            self.infer(asked, *metadata)
        return failed.value.code().name, failed.value.details()


@pytest.fixture(scope="session")
def connect() -> Iterator[Any]:
    import grpc
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

    channels = []

    def connected(server: Server) -> Client:
        channels.append(
            grpc.insecure_channel(
                f"127.0.0.1:{server.grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
            )
        )
        return Client(pb, GRPCInferenceServiceStub(channels[-1]), channels[-1])

    yield connected
    for channel in channels:
        channel.close()


@pytest.fixture
def client(logged: Logged, connect: Any) -> Client:
    return connect(logged.server)


def late(answer: Any) -> list[float]:
    (output,) = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("probabilities", "FP32", [2, 2])
    return list(output.contents.fp32_contents)[1::2]


def test_the_answer_is_rests_bit_for_bit(client: Client, logged: Logged):
    request = v2(columns(), id="call-7")
    (tensor,) = logged.server.infer(request).json["outputs"]
    answer = client.infer(request)
    assert (answer.model_name, answer.model_version, answer.id) == (MODEL, REVISION, "call-7")
    assert late(answer) == pytest.approx(EXPECTED, abs=1e-6)
    values = answer.outputs[0].contents.fp32_contents
    assert struct.pack("<4f", *values) == struct.pack("<4f", *tensor["data"])


def test_the_request_id_comes_back_and_is_made_where_none_came(client: Client):
    answer, call = client.stub.ModelInfer.with_call(
        client.message(v2(columns())), timeout=SOON_S, metadata=[("x-request-id", "r-1")]
    )
    assert dict(call.trailing_metadata())["x-request-id"] == answer.id == "r-1"
    made, call = client.stub.ModelInfer.with_call(client.message(v2(columns())), timeout=SOON_S)
    assert dict(call.trailing_metadata())["x-request-id"] == made.id
    assert len(made.id) == 32


def test_health_and_metadata_are_rests(client: Client, logged: Logged):
    pb, stub = client.pb, client.stub
    assert stub.ServerLive(pb.ServerLiveRequest(), timeout=SOON_S).live
    assert stub.ServerReady(pb.ServerReadyRequest(), timeout=SOON_S).ready
    assert stub.ModelReady(pb.ModelReadyRequest(name=MODEL), timeout=SOON_S).ready
    assert stub.ServerMetadata(pb.ServerMetadataRequest(), timeout=SOON_S).name == "kserve"
    told = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL, version=REVISION), timeout=SOON_S)
    rest = logged.server.send("GET", f"/v2/models/{MODEL}").json
    assert (told.name, list(told.versions)) == (rest["name"], [REVISION])
    for ours, theirs in ((told.inputs, rest["inputs"]), (told.outputs, rest["outputs"])):
        assert [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in ours] == theirs


@pytest.mark.parametrize("verb", ["ModelReady", "ModelMetadata"])
def test_another_model_and_another_version_are_not_found(client: Client, verb: str):
    import grpc

    for asked in ({"name": "trains"}, {"name": MODEL, "version": "7"}):
        with pytest.raises(grpc.RpcError) as failed:
            getattr(client.stub, verb)(getattr(client.pb, f"{verb}Request")(**asked), timeout=SOON_S)
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_request_for_another_model_is_not_found_and_not_ours_to_log(client: Client, logged: Logged):
    asked = client.message(v2(columns()))
    asked.model_name = "trains"
    assert client.refused(asked) == ("NOT_FOUND", "Model with name trains does not exist.")
    asked = client.message(v2(columns()), model_version="00000000")
    assert client.refused(asked) == (
        "NOT_FOUND",
        f"Model {MODEL} answers here as version {REVISION}, not 00000000.",
    )
    assert client.infer(client.message(v2(columns()), model_version=REVISION)).model_version == REVISION
    assert logged.counts()["handled"] == 1


def test_what_is_missing_is_nan_or_an_empty_text(client: Client, logged: Logged):
    request = v2(columns(carrier=[None, "ZZ"], distance=[None, 0], scheduled_departure=[None, None]))
    (tensor,) = logged.server.infer(request).json["outputs"]
    assert late(client.infer(request)) == pytest.approx(tensor["data"][1::2], abs=1e-7)


def test_finished_features(client: Client, logged: Logged):
    features = {
        "hour": [1.0, 2.0],
        "distance": [666.0, 1.0],
        "temp": [None, 5.0],
        "carrier_rate": [0.1, 0.2],
        "carrier": ["B6", "UA"],
    }
    request = v2(features, parameters={"features": True})
    request["inputs"].append({"name": "holiday", "shape": [2], "datatype": "FP32", "data": [0.0, 1.0]})
    (tensor,) = logged.server.infer(request).json["outputs"]
    assert late(client.infer(request)) == pytest.approx(tensor["data"][1::2], abs=1e-7)


def raw_of(tensor: dict[str, Any]) -> bytes:
    if tensor["datatype"] == "BYTES":
        return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in tensor["data"])
    return struct.pack({"FP64": "<2d", "BOOL": "<2?"}[tensor["datatype"]], *tensor["data"])


def raw_message(client: Client, request: dict[str, Any]) -> Any:
    asked = client.message({**request, "inputs": [{**t, "data": []} for t in request["inputs"]]})
    for tensor, sent in zip(asked.inputs, request["inputs"], strict=True):
        tensor.ClearField("contents")
        asked.raw_input_contents.append(raw_of(sent))
    return asked


def test_raw_tensors_are_answered_by_raw_tensors(client: Client):
    answer = client.infer(raw_message(client, v2(columns(carrier=["UA", "é"]))))
    assert not answer.outputs[0].HasField("contents")
    values = struct.unpack("<4f", answer.raw_output_contents[0])
    assert values[1] == pytest.approx(EXPECTED[0], abs=1e-6)


def test_kserves_own_client_reads_the_answers(logged: Logged, connect: Any):
    import numpy as np
    from kserve import InferRequest, InferResponse

    client = connect(logged.server)
    request = InferRequest.from_grpc(client.message(v2(columns())))
    for binary in (False, True):
        for tensor in request.inputs:
            kind = object if tensor.datatype == "BYTES" else None
            tensor.set_data_from_numpy(np.array(columns()[tensor.name], kind).reshape(-1, 1), binary)
        answer = InferResponse.from_grpc(client.infer(request.to_grpc()))
        assert answer.outputs[0].as_numpy()[:, 1] == pytest.approx(EXPECTED, abs=1e-6)


def changed(name: str, /, **parts: Any) -> dict[str, Any]:
    request = v2(columns())
    next(tensor for tensor in request["inputs"] if tensor["name"] == name).update(parts)
    return request


WRONG = {
    "a field is missing": v2({name: values for name, values in columns().items() if name != "carrier"}),
    "an unknown field": v2(columns(wings=[1, 2])),
    "a field twice": {"inputs": v2(columns())["inputs"] * 2},
    "no time": v2(columns(scheduled_departure=["noon", None])),
    "a time with no offset": v2(columns(scheduled_departure=[None, "2013-07-01T12:00:00"])),
    "a time beyond the calendar": changed("scheduled_departure", datatype="INT64", data=[2**62, 0]),
    "another datatype": changed("carrier", datatype="FP64", data=[1.0, 2.0]),
    "a wide shape": changed("carrier", shape=[1, 2]),
    "a deep shape": changed("carrier", shape=[2, 1, 1]),
    "another number of rows": changed("carrier", shape=[3], data=["UA"] * 3),
    "no rows": v2({name: [] for name in columns()}),
    "no inputs": {"inputs": []},
    "no name": changed("carrier", name=""),
    "fields where features are said": v2(columns(), parameters={"features": True}),
    "an unknown output": v2(columns(), outputs=[{"name": "label"}]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_refusal_is_rests_word_for_word(client: Client, logged: Logged, case: str):
    rest = logged.server.infer(WRONG[case])
    assert rest.status == 400
    assert client.refused(WRONG[case]) == ("INVALID_ARGUMENT", rest.json["error"])


def test_what_only_a_message_can_get_wrong_is_refused_by_name(client: Client):
    def told(asked: Any, *says: str) -> None:
        code, details = client.refused(asked)
        assert code == "INVALID_ARGUMENT"
        assert all(part in details for part in says), details

    asked = client.message(v2(columns()))
    asked.inputs[3].contents.ClearField("fp64_contents")
    asked.inputs[3].contents.fp32_contents.extend([1.0, 2.0])
    told(asked, "'distance'", "'fp64_contents' holds 0 values")
    asked = client.message(v2(columns()))
    asked.inputs[3].datatype = "FP16"
    told(asked, "'distance' has datatype FP16")
    asked.inputs[3].datatype = ""
    told(asked, "'distance' has no datatype")
    asked = client.message(v2(columns()))
    asked.inputs[1].contents.bytes_contents[1] = b"\xff\xfe"
    told(asked, "'carrier'", "UTF-8")
    asked = client.message(v2(columns()))
    asked.parameters["features"].string_param = "yes"
    told(asked, "'features' must be true or false")
    asked = raw_message(client, v2(columns()))
    del asked.raw_input_contents[-1]
    told(asked, "5 inputs, but 4 'raw_input_contents'")
    asked = raw_message(client, v2(columns()))
    asked.raw_input_contents[1] = b"\x09\x00\x00\x00UA"
    told(asked, "'carrier': the raw bytes end within a value")
    asked = raw_message(client, v2(columns()))
    asked.raw_input_contents[3] = b"123"
    told(asked, "'distance': 3 raw bytes")
    asked = raw_message(client, v2(columns()))
    asked.inputs[3].datatype = "FP80"
    told(asked, "'distance' has datatype FP80")
    asked = raw_message(client, v2(columns()))
    asked.inputs[1].contents.bytes_contents.append(b"UA")
    told(asked, "'carrier' has 'contents' beside 'raw_input_contents'")


def test_bytes_that_are_no_message_are_refused_and_told(client: Client, logged: Logged):
    import grpc

    infer = client.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with pytest.raises(grpc.RpcError) as failed:
        infer(b"\xff\xff\xff", timeout=SOON_S, metadata=[("x-request-id", "noise")])
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (event,) = eventually(lambda: logged.sink.events, SOON_S)
    assert (event["id"], event["status"]) == ("noise", 400)


def test_a_verb_that_the_protocol_has_not(client: Client):
    import grpc

    with pytest.raises(grpc.RpcError) as failed:
        client.channel.unary_unary("/inference.GRPCInferenceService/Explain")(b"", timeout=SOON_S)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_long_refusal_still_fits_a_header(client: Client):
    code, details = client.refused(v2({**columns(), "carrier": ["UA"] * 2, "x" * 9000: [1.0, 2.0]}))
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("input 'xxx")
    long = client.message(v2(columns()))
    long.inputs[0].name = "y" * 12_000
    long.inputs[1].name = "y" * 12_000
    code, details = client.refused(long)
    assert code == "INVALID_ARGUMENT"
    assert len(details) == 2000


def test_a_request_larger_than_rest_takes_is_refused_and_told(client: Client, logged: Logged):
    asked = client.message(v2(columns()))
    asked.inputs[1].contents.bytes_contents[0] = b"x" * ((16 << 20) + 1)
    code, details = client.refused(asked, ("x-request-id", "big"))
    assert code == "RESOURCE_EXHAUSTED"
    assert "larger than 16777216 bytes" in details
    (event,) = eventually(lambda: logged.sink.events, SOON_S)
    assert (event["id"], event["status"]) == ("big", 400)
    asked.inputs[1].contents.bytes_contents[0] = b"x" * (33 << 20)
    assert client.refused(asked)[0] == "RESOURCE_EXHAUSTED"
    assert late(client.infer(v2(columns()))) == pytest.approx(EXPECTED, abs=1e-6)


def test_a_transform_that_raises_is_internal_and_says_where(client: Client, logged: Logged):
    request = v2(columns(distance=[666, 1]))
    rest = logged.server.infer(request)
    assert client.refused(request) == ("INTERNAL", rest.json["error"])


def test_events_are_rests(client: Client, logged: Logged):
    request = v2(columns(flight_id=["UA-1", None]), id="call")
    request["inputs"][-1]["datatype"] = "BYTES"
    logged.server.infer(request, {"x-request-id": "one"})
    client.infer(request, ("x-request-id", "two"))
    client.infer(request, ("x-trimtab-warmup", "1"))
    client.refused({"inputs": []}, ("x-request-id", "bad"))
    rest, ours, bad = eventually(lambda: len(logged.sink.events) == 3 and logged.sink.events, SOON_S)
    for event in (rest, ours):
        assert event.pop("durationms") > 0
        for part in ("time", "sequence"):
            event.pop(part)
    assert (rest.pop("id"), ours.pop("id")) == ("one", "two")
    assert ours == rest
    assert ours["data"]["ids"] == ["UA-1", "call/1"]
    assert (bad["id"], bad["status"], bad["data"]) == ("bad", 400, None)
    assert logged.counts()["handled"] == 3


def test_calls_at_once_do_not_mix(client: Client):
    def ask(number: int) -> tuple[int, float]:
        request = v2(columns(distance=[number, 0], temp=[0, 0]))
        answer = client.infer(request, ("x-request-id", f"n{number}"))
        assert answer.id == f"n{number}"
        return number, late(answer)[0]

    with ThreadPoolExecutor(16) as pool:
        scores = [score for _, score in sorted(pool.map(ask, range(100)))]
    assert scores == sorted(scores)
    assert len(set(scores)) == 100


def test_a_deadline_that_passes_hurts_nobody_else(client: Client, logged: Logged):
    import grpc

    many = {name: [values[0]] * 20_000 for name, values in columns().items()}
    asked = client.message(v2(many))
    calls = [client.stub.ModelInfer.future(asked, timeout=0.2) for _ in range(30)]
    codes = [call.code() for call in calls]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert grpc.StatusCode.DEADLINE_EXCEEDED in codes
    assert late(client.infer(v2(columns()))) == pytest.approx(EXPECTED, abs=1e-6)
    eventually(lambda: logged.server.logged()["in_flight"] == 0, SOON_S)
    answered = [event["status"] for event in logged.sink.events]
    assert set(answered) <= {200, 504}


def test_sigterm_under_load_answers_every_call_it_took(
    start: Start, online: Path, sink: Collecting, connect: Any
):
    import grpc

    server = start("--online", str(online), "--sink", sink.url, "--grpc-port", "0")
    answered = [0] * 4
    broken: list[Any] = []

    def load(number: int) -> None:
        client = connect(server)
        asked = client.message(v2(columns()))
        while True:
            try:
                client.infer(asked)
                answered[number] += 1
            except grpc.RpcError as failed:
                # that of a call which came after the signal, and which the server did not take
                if failed.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    broken.append(failed)
                return

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, number) for number in range(4)]
        eventually(lambda: min(answered) > 5, 2 * SOON_S)
        server.process.send_signal(signal.SIGTERM)
        for each in loads:
            each.result(SOON_S)
    assert server.process.wait(SOON_S) == 0
    assert not broken
    assert {event["status"] for event in sink.events} == {200}
    assert len(sink.events) == sum(answered)


def test_a_grpc_port_that_is_taken(folder: Path, tmp_path: Path):
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = launch(folder, log, "--grpc-port", str(taken.getsockname()[1]))
        try:
            assert process.wait(60) == 4
        finally:
            process.kill()
    said = log.read_text()
    assert "cannot listen on 127.0.0.1" in said
    assert "--grpc-port" in said
    assert "Traceback" not in said


def test_rest_alone_listens_once(server: Server):
    assert server.grpc_port is None
    assert json.loads(server.infer(v2(columns())).body)["model_name"] == MODEL

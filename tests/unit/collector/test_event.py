"""Events are checked one by one, and a refusal names the field."""

import json

import pytest

from trimtab.collector.event import AgentHalf, EventRefused, Inference, decode_batch, structured


def made(**changes):
    event = {
        "specversion": "1.0",
        "type": "dev.trimtab.inference",
        "id": "r1",
        "source": "aaaaaaaa/1",
        "time": "2013-04-01T10:00:00Z",
        "revision": "aaaaaaaa",
        "status": 200,
        "durationms": 2.5,
        "rows": 2,
        "data": data(),
    }
    return {name: value for name, value in (event | changes).items() if value is not ...}


def data(**changes):
    rows = {
        "ids": ["a", "b"],
        "times": [1, 2],
        "features": {"x": [1, None], "c": ["UA", None]},
        "predictions": [0.5, None],
    }
    return rows | changes


def decoded(*events):
    return decode_batch(json.dumps(events).encode())


def test_an_event_becomes_a_value():
    (event,) = decoded(made())
    assert isinstance(event, Inference)
    assert (event.revision, event.id, event.status, event.duration_ms) == ("aaaaaaaa", "r1", 200, 2.5)
    assert event.time_us == 1_364_810_400_000_000
    assert event.rows.features == {"x": [1.0, None], "c": ["UA", None]}


def test_a_failed_request_has_no_rows_but_counts_them():
    (event,) = decoded(made(status=500, data=None, rows=3))
    assert (event.status, event.rows, event.row_count) == (500, None, 3)


def test_attributes_may_be_text_as_in_binary_mode():
    (event,) = decoded(made(status="200", durationms="2.5", rows="2"))
    assert (event.status, event.duration_ms) == (200, 2.5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": ...}, "id"),
        ({"id": ""}, "$.id"),
        ({"id": "x" * 2_000}, "$.id"),
        ({"source": 5}, "$.source"),
        ({"time": ...}, "time"),
        ({"time": "yesterday"}, "$.time"),
        ({"time": "2013-04-01T10:00:00"}, "$.time"),
        ({"time": "2990-04-01T10:00:00Z"}, "time"),
        ({"status": ...}, "status"),
        ({"status": 7}, "$.status"),
        ({"durationms": -1}, "$.durationms"),
        ({"revision": ...}, "revision"),
        ({"revision": "x" * 2_000}, "revision"),
        ({"type": "com.example.other"}, "type"),
        ({"data": {"ids": []}}, "data"),
        ({"data": []}, "data"),
        ({"data": data(times=[1])}, "data.times"),
        ({"data": data(times=[1, 2**63])}, "times"),
        ({"data": data(predictions=[0.5])}, "data.predictions"),
        ({"data": data(predictions=[0.5, "x"])}, "predictions"),
        ({"data": data(features={"x": [1]})}, "data.features.x"),
        ({"data": data(features={"x": [1, [2]]})}, "features"),
        ({"data": data(features={f"f{n}": [1, 2] for n in range(2_001)})}, "data.features"),
    ],
)
def test_a_bad_event_is_refused_alone_and_names_its_field(changes, named):
    good, bad, other = decoded(made(id="g"), made(**changes), made(id="h"))
    assert isinstance(bad, EventRefused)
    assert named in bad.message
    assert [good.id, other.id] == ["g", "h"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"{}", b"5", b"\xff\xfe", b"[" * 5_000])
def test_a_body_that_is_no_list_is_refused(body):
    with pytest.raises(EventRefused, match="body"):
        decode_batch(body)


@pytest.mark.parametrize("element", [b"1", b"null", b'"x"', b"[]"])
def test_an_element_that_is_no_event_is_refused_alone(element):
    (refused,) = decode_batch(b"[" + element + b"]")
    assert isinstance(refused, EventRefused)


def test_the_revision_may_end_the_inference_services_name():
    (event, whole) = decoded(
        made(revision=..., inferenceservicename="flights-1a2b3c4d"),
        made(revision=..., inferenceservicename="flights"),
    )
    assert (event.revision, whole.revision) == ("1a2b3c4d", "flights")


def test_the_three_modes_hold_the_same_event():
    event = made()
    batch = structured({b"content-type": b"application/cloudevents-batch+json"}, json.dumps([event]).encode())
    single = structured(
        {b"content-type": b"application/cloudevents+json; charset=utf-8"}, json.dumps(event).encode()
    )
    headers = {f"ce-{name}".encode(): str(value).encode() for name, value in event.items() if name != "data"}
    binary = structured({**headers, b"content-type": b"application/json"}, json.dumps(event["data"]).encode())
    assert decode_batch(batch)[0] == decode_batch(single)[0] == decode_batch(binary)[0]


def test_a_post_that_is_no_cloudevent_is_refused():
    with pytest.raises(EventRefused, match="content-type: 'text/plain'"):
        structured({b"content-type": b"text/plain"}, b"hello")


def agent(kind="request", **changes):
    headers = {
        b"ce-id": b"5f0e",
        b"ce-type": b"org.kubeflow.serving.inference." + kind.encode(),
        b"ce-source": b"http://localhost:9081/",
        b"ce-time": b"2013-04-01T10:00:00.5Z",
        b"ce-inferenceservicename": b"flights-1a2b3c4d",
        b"ce-specversion": b"1.0",
        b"content-type": b"application/json",
    }
    return headers | {f"ce-{name}".encode(): value for name, value in changes.items()}


def test_the_agents_events_carry_the_logged_request_id():
    metadata = b"%7B%22X-Request-Id%22:%5B%22abc%22%5D%7D"
    (half,) = decode_batch(structured(agent(metadata=metadata), b'{"instances": [[1]]}'))
    assert isinstance(half, AgentHalf)
    assert (half.revision, half.request_id, half.is_response) == ("1a2b3c4d", "abc", False)
    assert half.body == {"instances": [[1]]}


@pytest.mark.parametrize(
    ("metadata", "is_warmup"),
    [(b'{"X-Trimtab-Warmup": ["1"], "X-Request-Id": ["abc"]}', True), (b'{"X-Request-Id": ["abc"]}', False)],
)
def test_the_agent_tells_what_the_operator_asked_itself(metadata, is_warmup):
    (half,) = decode_batch(structured(agent(metadata=metadata), b'{"instances": [[1]]}'))
    assert (half.request_id, half.is_warmup) == ("abc", is_warmup)


@pytest.mark.parametrize("metadata", [b"", b"null", b"{", b'{"X-Request-Id": []}', b'["X-Request-Id"]'])
def test_without_one_the_events_own_id_pairs_them(metadata):
    (half,) = decode_batch(structured(agent("response", metadata=metadata), b"not json"))
    assert (half.request_id, half.is_response, half.body) == ("5f0e", True, None)

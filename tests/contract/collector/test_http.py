"""The collector's HTTP surface: what it takes, and how it refuses what it cannot."""

import gzip
import json
import re
import socket

import pytest
from collector_process import Process, event

BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def collector(start):
    return start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One collector for the posts and questions that leave no trace; it holds one event."""
    process = Process(tmp_path_factory.mktemp("collector") / "log").start()
    process.events(event(1))
    yield process
    process.kill()
    process.child.stderr.close()
    process.reserved.close()


def raw(collector, data):
    """Bytes sent as they are; everything that came back before the close."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_a_batch_is_answered_with_what_became_of_each_event(collector):
    bad = event(3)
    del bad["source"]
    status, told = collector.events(event(1), bad, event(1), event(2))
    assert status == 202
    assert (told["accepted"], told["duplicates"]) == (2, 1)
    (refused,) = told["refused"]
    assert refused["index"] == 1
    assert "source" in refused["because"]
    collector.kill()
    collector.start()
    assert collector.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": 2}}


def test_an_empty_batch_is_taken(collector):
    assert collector.events()[0] == 202


def test_one_event_may_come_structured_or_in_binary_mode(collector):
    one = event(1)
    single = collector.send(
        "POST", "/", json.dumps(one).encode(), {"content-type": "application/cloudevents+json"}
    )
    assert single[1]["accepted"] == 1
    headers = {f"ce-{name}": str(value) for name, value in one.items() if name not in ("data", "endpoint")}
    body = json.dumps(one["data"]).encode()
    assert collector.send("POST", "/", body, headers)[1]["duplicates"] == 1


def test_the_agents_pair_of_events_counts_as_one_request(collector):
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "5f0e",
        "ce-source": "http://localhost:9081/",
        "ce-time": "2013-04-01T12:00:00Z",
        "ce-inferenceservicename": "flights-aaaaaaaa",
        "ce-namespace": "default",
        "ce-component": "predictor",
        "ce-metadata": '{"X-Request-Id":["abc"]}',
        "content-type": "application/json",
    }
    kind = "org.kubeflow.serving.inference."
    request = json.dumps({"instances": [{"distance": 3.0}, {"distance": 4.0}]}).encode()
    span = "revision=aaaaaaaa&start=2013-04-01T12:00:00Z&end=2013-04-01T13:00:00Z"
    buckets = f"/v1/windows/requests?{span}&bucket_s=3600"
    assert collector.send("POST", "/", request, headers | {"ce-type": kind + "request"})[0] == 202
    assert collector.send("GET", buckets)[1]["buckets"] == [
        {"start": "2013-04-01T12:00:00Z", "requests": 1, "errors": 1, "rows": 0}
    ]
    later = headers | {"ce-type": kind + "response", "ce-time": "2013-04-01T12:00:00.005Z"}
    assert collector.send("POST", "/", b'{"predictions": [0.1, 0.2]}', later)[0] == 202
    assert collector.send("GET", buckets)[1]["buckets"] == [
        {"start": "2013-04-01T12:00:00Z", "requests": 1, "errors": 0, "rows": 2}
    ]
    assert collector.send("GET", f"/v1/predictions?{span}")[1]["id"] == ["abc/0", "abc/1"]
    latencies = collector.send("GET", f"/v1/windows/latencies?{span}")[1]
    place = latencies["counts"].index(1)
    assert latencies["edges_ms"][place - 1] < 5.0 <= latencies["edges_ms"][place]


@pytest.mark.parametrize(
    ("body", "headers", "status", "named"),
    [
        (b"", BATCH, 400, "body"),
        (b"{not json", BATCH, 400, "body"),
        (b"[" * 100_000, BATCH, 400, "body"),
        (b'[{"id":"\xff"}]', BATCH, 400, "refused"),
        (gzip.compress(b"[]", mtime=0), BATCH, 400, "body"),
        (b"[]", {}, 400, "content-type"),
        (b"[]", {"content-type": "application/json"}, 400, "content-type"),
        (b"{}", {"ce-id": "1"}, 400, "refused"),
    ],
)
def test_a_bad_post_is_refused_and_says_why(shared, body, headers, status, named):
    answer = shared.send("POST", "/", body, headers)
    assert answer[0] == status
    assert named in json.dumps(answer[1])


SPAN = "start=2013-04-01T00:00:00Z&end=2013-04-02T00:00:00Z"
NOW = "now=2013-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("target", "status", "named"),
    [
        ("/v1/windows/nothing", 404, "no such path"),
        (f"/v1/windows/latencies?revision=zzz&{SPAN}", 404, "zzz"),
        (f"/v1/windows/sketches?revision=aaaaaaaa&{SPAN}", 409, "profile"),
        (f"/v1/windows/scored?revision=aaaaaaaa&{SPAN}&{NOW}", 409, "profile"),
        (f"/v1/windows/scored?revision=aaaaaaaa&{SPAN}&{NOW}&zone=Mars/Base", 400, "Mars/Base"),
        (f"/v1/windows/scored?revision=aaaaaaaa&{SPAN}&{NOW}&length_s=100000", 400, "length_s"),
        (f"/v1/windows/scored?revision=aaaaaaaa&{SPAN}&{NOW}&cut_hour=24", 400, "cut_hour"),
        (f"/v1/windows/scored?revision=aaaaaaaa&{SPAN}", 400, "now"),
        (f"/v1/windows/paired?revision=aaaaaaaa&{SPAN}&{NOW}", 400, "candidate"),
        (f"/v1/windows/paired?revision=aaaaaaaa&candidate=zzz&{SPAN}&{NOW}", 404, "zzz"),
        ("/v1/windows/latencies?revision=aaaaaaaa", 400, "start"),
        ("/v1/windows/latencies?revision=aaaaaaaa&start=2013&end=2014", 400, "start"),
        ("/v1/windows/latencies?revision=a&start=2013-04-02T00:00:00&end=2013-04-02T00:00:00Z", 400, "start"),
        (
            "/v1/windows/latencies?revision=a&start=2013-04-02T00:00:00Z&end=2013-04-01T00:00:00Z",
            400,
            "start",
        ),
        (f"/v1/windows/requests?revision=aaaaaaaa&{SPAN}&bucket_s=7", 400, "bucket_s"),
        (f"/v1/windows/requests?revision=aaaaaaaa&{SPAN}&bucket_s=0", 400, "bucket_s"),
        (f"/v1/windows/latencies?revision=aaaaaaaa&{SPAN}&revison=b", 400, "revison"),
    ],
)
def test_a_bad_question_names_its_parameter(shared, target, status, named):
    answer = shared.send("GET", target)
    assert answer[0] == status
    assert named in json.dumps(answer[1])


def test_methods_and_sizes_are_bounded(shared):
    assert shared.send("DELETE", "/")[0] == 405
    assert shared.send("POST", "/v1/received")[0] == 405
    assert raw(shared, b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    long_head = b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"
    assert raw(shared, long_head).startswith(b"HTTP/1.1 431")
    assert raw(shared, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
    chunk = b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
    assert shared.events(event(1))[0] == 202
    assert b"413" in raw_start(shared, b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", chunk, 40)


def raw_start(collector, head, chunk, times):
    """Send a chunk again and again until the server has had enough; what it answered."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        connection.sendall(head)
        try:
            for _ in range(times):
                connection.sendall(chunk)
        except OSError:
            pass
        try:
            return connection.recv(100)
        except OSError:
            return b"HTTP/1.1 413"


def test_answers_leave_in_the_order_of_their_requests(collector):
    body = json.dumps([event(1)]).encode()
    post = b"POST / HTTP/1.1\r\ncontent-type: application/cloudevents-batch+json\r\n"
    post += b"content-length: %d\r\n\r\n" % len(body) + body
    answers = raw(collector, post + b"GET /v1/received HTTP/1.1\r\n\r\n" + post)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"202", b"200", b"202"]
    assert b'{"received":{"aaaaaaaa":1}}' in answers


def test_a_chunked_body_and_an_expectation_are_understood(collector):
    body = json.dumps([event(1)]).encode()
    head = b"POST / HTTP/1.1\r\ncontent-type: application/cloudevents-batch+json\r\nexpect: 100-continue\r\n"
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    answer = raw(collector, head + b"transfer-encoding: chunked\r\n\r\n" + chunked)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202")


def test_health_and_metrics_are_told(collector):
    collector.events(event(1), event(2, status=500, data=None))
    assert collector.send("GET", "/healthz")[0] == 200
    assert collector.send("GET", "/readyz")[0] == 200
    text = collector.send("GET", "/metrics")[1]
    assert 'trimtab_collector_received_total{revision="aaaaaaaa"} 2' in text
    assert 'trimtab_collector_errors{revision="aaaaaaaa"} 1' in text
    assert 'trimtab_collector_coverage{revision="aaaaaaaa"} 1.0' in text


def test_marked_requests_are_counted_by_path_and_id(shared):
    for name in ("a", "a", "b"):
        status, _ = shared.send("GET", "/trimtab-probe/n-1", headers={"X-Request-Id": name})
        assert status == 204
    assert shared.send("GET", "/v1/probes?nonce=n-1") == (200, {"requests": 3, "ids": 2, "pairs": 1})
    assert shared.send("GET", "/v1/probes?nonce=other")[1]["requests"] == 0
    assert shared.send("POST", "/trimtab-probe/n-1")[0] == 405
    assert shared.send("GET", "/trimtab-probe/")[0] == 404

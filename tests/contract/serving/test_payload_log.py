"""Events: what they say, and that a sink which is dead, slow or killed costs no request and loses no event."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from .conftest import EXPECTED, MODEL, REVISION, Logged, columns, eventually, v1, v2

pytestmark = pytest.mark.xdist_group("serving")


def keyed(*ids):
    request = v2(columns(flight_id=list(ids)))
    request["inputs"][-1]["datatype"] = "BYTES"
    return request


def test_an_event_says_what_was_asked_and_answered(logged: Logged):
    server, sink = logged.server, logged.sink
    before = datetime.now(UTC)
    server.infer(keyed("UA-1", None), {"x-request-id": "r-1"})
    (event,) = eventually(lambda: sink.events)
    data = event.pop("data")
    assert before <= datetime.fromisoformat(event.pop("time")) <= datetime.now(UTC)
    assert event.pop("durationms") > 0
    assert int(event.pop("sequence")) >= 1
    assert event == {
        "specversion": "1.0",
        "id": "r-1",
        "type": "dev.trimtab.inference",
        "source": f"{REVISION}/{server.process.pid}",
        "datacontenttype": "application/json",
        "inferenceservicename": f"{MODEL}-{REVISION}",
        "namespace": "prod",
        "component": "predictor",
        "endpoint": MODEL,
        "revision": REVISION,
        "status": 200,
        "rows": 2,
    }
    assert data["ids"] == ["UA-1", "r-1/1"]
    assert data["times"] == [1372685400000000, 1372685400000000]
    assert data["predictions"] == pytest.approx(EXPECTED, abs=1e-6)
    assert data["features"] == {
        "hour": [13.0, 13.0],
        "distance": [500.0, 1000.5],
        "temp": [70.0, None],
        "carrier_rate": [0.25, 0.5],
        "holiday": [0.0, 1.0],
        "carrier": ["UA", "AA"],
    }
    eventually(lambda: not logged.counts()["in_flight"])
    assert logged.counts() == {"handled": 1, "logged": 1, "dropped": 0, "in_flight": 0}


def test_rows_without_a_key_are_named_by_the_body_id_or_the_request_id(logged: Logged):
    server, sink = logged.server, logged.sink
    server.infer(v2(columns(), id="call"), {"x-request-id": "one"})
    server.predict(v1(columns()), {"x-request-id": "two"})
    events = {
        event["id"]: event["data"] for event in eventually(lambda: len(sink.events) == 2 and sink.events)
    }
    assert events["one"]["ids"] == ["call/0", "call/1"]
    assert events["two"]["ids"] == ["two/0", "two/1"]


def test_failed_requests_are_told_and_warm_ups_are_not(logged: Logged):
    server, sink = logged.server, logged.sink
    assert server.infer(v2(columns()), {"x-trimtab-warmup": "1"}).status == 200
    assert server.infer({}, {"x-request-id": "bad"}).status == 400
    assert server.infer(v2(columns(distance=[666, 1])), {"x-request-id": "worse"}).status == 500
    events = eventually(lambda: len(sink.events) == 2 and sink.events)
    assert [(event["id"], event["status"], event["data"]) for event in events] == [
        ("bad", 400, None),
        ("worse", 500, None),
    ]
    eventually(lambda: not logged.counts()["in_flight"])
    metrics = server.send("GET", "/metrics").body.decode()
    labels = f'model_name="{MODEL}",revision="{REVISION}"'
    assert re.search(rf'trimtab_requests_total{{{labels},status="400"}} [1-9]', metrics)
    assert re.search(rf'trimtab_requests_total{{{labels},status="500"}} [1-9]', metrics)
    assert re.search(rf"trimtab_warmups_total{{{labels}}} [1-9]", metrics)
    assert f"trimtab_logged_total{{{labels}}} {server.logged()['logged']}.0" in metrics


def test_a_request_that_kserve_decoded_is_told_like_any(logged: Logged):
    server, sink = logged.server, logged.sink
    body = json.dumps(v2(columns())).encode()
    headers = {"inference-header-content-length": str(len(body)), "x-request-id": "slow"}
    assert server.infer(body, headers).status == 200
    (event,) = eventually(lambda: sink.events)
    assert event["id"] == "slow"
    assert event["data"]["predictions"] == pytest.approx(EXPECTED, abs=1e-6)


def test_a_time_that_is_missing_is_the_wall_clocks(logged: Logged):
    server, sink = logged.server, logged.sink
    before = time.time_ns() // 1000
    server.infer(v2(columns(scheduled_departure=[None, None])))
    (event,) = eventually(lambda: sink.events)
    assert all(before <= t <= time.time_ns() // 1000 for t in event["data"]["times"])


def test_events_travel_in_batches_over_one_connection(logged: Logged):
    server, sink = logged.server, logged.sink
    sink.delay_s, connections = 0.05, sink.connections
    with ThreadPoolExecutor(8) as pool:
        for reply in pool.map(lambda n: server.infer(keyed(f"{n}-a", f"{n}-b")), range(300)):
            assert reply.status == 200
    eventually(lambda: logged.counts()["logged"] == 300)
    assert sorted(e["data"]["ids"][0] for e in sink.events) == sorted(f"{n}-a" for n in range(300))
    assert sink.connections <= connections + 1
    assert max(sink.batches) > 1
    assert len(sink.batches) < 300


def test_a_sink_that_is_dead_and_comes_back_loses_nothing(logged: Logged):
    server, sink = logged.server, logged.sink
    server.infer(keyed("before", "x"))
    eventually(lambda: logged.counts()["logged"] == 1)
    sink.shut()
    for n in range(50):
        assert server.infer(keyed(f"during-{n}", "x")).status == 200
    assert logged.counts() == {"handled": 51, "logged": 1, "dropped": 0, "in_flight": 50}
    sink.open()
    eventually(lambda: logged.counts()["logged"] == 51)
    assert {event["data"]["ids"][0] for event in sink.events} == {
        "before",
        *(f"during-{n}" for n in range(50)),
    }


def test_a_batch_whose_answer_was_lost_goes_again_with_the_same_ids(logged: Logged):
    server, sink = logged.server, logged.sink
    sink.status = 0
    server.infer(keyed("a", "b"), {"x-request-id": "twice"})
    eventually(lambda: len(sink.events) >= 2)
    assert logged.counts()["logged"] == 0
    sink.status = 202
    eventually(lambda: logged.counts()["logged"] == 1)
    assert {event["id"] for event in sink.events} == {"twice"}
    assert len({json.dumps(event, sort_keys=True) for event in sink.events}) == 1


@pytest.mark.parametrize("status", [500, 503, 507, 429])
def test_a_sink_that_cannot_take_events_now_is_asked_again(logged: Logged, status: int):
    server, sink = logged.server, logged.sink
    sink.status = status
    server.infer(keyed("a", "b"))
    eventually(lambda: sink.events)
    sink.status = 202
    eventually(lambda: logged.counts() == {"handled": 1, "logged": 1, "dropped": 0, "in_flight": 0})


def test_a_sink_that_refuses_events_does_not_hold_up_the_others(logged: Logged):
    server, sink = logged.server, logged.sink
    sink.status = 400
    server.infer(keyed("a", "b"))
    eventually(lambda: logged.counts()["dropped"] == 1)
    sink.status = 202
    server.infer(keyed("c", "d"))
    eventually(lambda: logged.counts() == {"handled": 2, "logged": 1, "dropped": 1, "in_flight": 0})

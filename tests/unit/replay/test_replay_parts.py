"""The draw is seeded and fair; the barrier waits for what is on its way; a run takes its charge."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trimtab.adapters.clock import ReplayClock
from trimtab.local.replay.barrier import Barrier, BarrierStuck, Logged, ServerLog
from trimtab.local.replay.charged import ChargedRuns
from trimtab.local.replay.client import draw
from trimtab.ports.gateway import Sent
from trimtab.ports.runs import Run, RunState


def test_a_draw_depends_on_seed_and_request_alone_and_is_uniform():
    assert draw(7, "EWR-1") == draw(7, "EWR-1") != draw(8, "EWR-1")
    shares = Counter(draw(7, f"r{i}") % 100 < 20 for i in range(20_000))
    assert 3_800 < shares[True] < 4_200


class Log:
    def __init__(self, *counts):
        self.counts = list(counts)

    def read(self):
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]


def test_the_barrier_waits_until_all_was_logged_and_taken_in():
    log = Log(Logged(1, 3, 2, 0, 1), Logged(1, 3, 3, 0, 0), Logged(1, 3, 3, 0, 0), Logged(1, 3, 3, 0, 0))
    taken = [{"a": 1}, {"a": 3}]
    barrier = Barrier(
        lambda: {"a": Sent("e", 3, 0, 0, 0)}, lambda: taken.pop(0) if len(taken) > 1 else taken[0]
    )
    assert barrier.wait({"a": log})["a"].logged == 3
    assert taken == [{"a": 3}]


def test_the_barrier_waits_for_copies_on_their_way():
    sent = [Sent("e", 1, 0, 0, 0, pending=1), Sent("e", 1, 0, 1, 0)]
    log = Log(Logged(1, 1, 1, 0, 0), Logged(1, 2, 2, 0, 0))
    barrier = Barrier(lambda: {"a": sent.pop(0) if len(sent) > 1 else sent[0]}, lambda: {"a": 2})
    assert barrier.wait({"a": log})["a"].handled == 2


def test_a_barrier_that_cannot_be_passed_says_what_everyone_counts(monkeypatch):
    monkeypatch.setattr("trimtab.local.replay.barrier.DEADLINE_S", 0.05)
    barrier = Barrier(lambda: {"a": Sent("e", 5, 0, 0, 0)}, lambda: {"a": 4})
    with pytest.raises(BarrierStuck, match="handled=4"):
        barrier.wait({"a": Log(Logged(1, 4, 4, 0, 0))})


@pytest.mark.parametrize("again", [1, 12])
def test_a_server_that_was_started_again_holds_nobody_up(again):
    sent = {"a": Sent("e", 10, 0, 0, 0)}
    log = Log(Logged(1, 10, 10, 0, 0), Logged(2, again, again, 0, 0))
    barrier = Barrier(lambda: sent, lambda: {"a": 11})
    barrier.wait({"a": log})
    sent["a"] = Sent("e", 10 + 3 + again, 3, 0, 0)
    assert barrier.wait({"a": log})["a"].handled == again


def test_a_server_that_was_dead_at_an_hours_end_holds_nobody_up_in_the_next():
    sent = {"a": Sent("e", 10, 0, 0, 0)}
    log = Log(None, Logged(2, 12, 12, 0, 0))
    barrier = Barrier(lambda: sent, lambda: {"a": 10})
    assert barrier.wait({"a": log}) == {}
    sent["a"] = Sent("e", 30, 0, 0, 0)
    assert barrier.wait({"a": log})["a"].handled == 12


def test_a_kept_connection_to_the_process_before_says_nothing_of_this_one():
    """A server that closes its connections between two questions is asked again, and is not taken for dead."""

    class Closing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = json.dumps({"pid": 1, "handled": 3, "logged": 3, "dropped": 0, "in_flight": 0}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format, *args):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Closing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        log = ServerLog(f"http://127.0.0.1:{server.server_address[1]}")
        assert [log.read() for _ in range(3)] == [Logged(1, 3, 3, 0, 0)] * 3
        log.close()
        server.shutdown()
        thread.join()
        server.server_close()
        assert log.read() is None


class Done:
    def start(self, key, parameters):
        return Run("r", key, RunState.SUCCEEDED, version="2", passed=True)

    def find(self, key):
        return self.start(key, {})


def test_a_run_is_under_way_until_its_charge_is_over():
    clock = ReplayClock(datetime(2013, 4, 10, 8, tzinfo=UTC))
    runs = ChargedRuns(Done(), clock, timedelta(hours=1))
    assert runs.start("k", {}).state is RunState.RUNNING
    assert runs.find("k").state is RunState.RUNNING
    clock.by(timedelta(hours=1))
    assert runs.find("k").state is RunState.SUCCEEDED

"""Checks that ask a metrics server, over real HTTP: what it holds decides, and silence passes nothing."""

import json
import re
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trimtab.adapters.prometheus import PrometheusMetrics
from trimtab.api.errors import InputRefused, SurroundingsFailed

SELECTOR = re.compile(r'(sum\()?([a-z_]+)(?:\{([a-z]+)="([^"]*)"\})?\)?')


@dataclass(frozen=True)
class Server:
    url: str
    token_file: Path | None = None
    ca_file: Path | None = None


class Held:
    """Series and what is asked of them: selectors with one label, and sums, as Prometheus answers them."""

    def __init__(self):
        self.series, self.tokens, self.status = {}, [], 200

    def answer(self, query):
        found = SELECTOR.fullmatch(query)
        if found is None:
            return 400, {"status": "error", "errorType": "bad_data", "error": f"parse error in {query}"}
        total, name, label, value = found.groups()
        held = [
            (dict(labels), number)
            for (series, labels), number in self.series.items()
            if series == name and (label is None or dict(labels).get(label) == value)
        ]
        if total and held:
            held = [({}, sum(number for _, number in held))]
        result = [{"metric": labels, "value": [1.5, str(number)]} for labels, number in held]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def server(held):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            held.tokens.append(self.headers.get("Authorization"))
            status, body = held.answer(form["query"][0])
            self.send_response(held.status if held.status != 200 else status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()
    thread.join()


def series(name, **labels):
    return name, tuple(sorted(labels.items()))


def test_one_number_is_the_answer(held, server):
    metrics = PrometheusMetrics({"prometheus": Server(server)})
    held.series = {series("queue", revision="a"): 3, series("queue", revision="b"): 4.5}
    assert metrics.query("prometheus", 'queue{revision="b"}') == 4.5
    assert metrics.query("prometheus", "sum(queue)") == 7.5
    held.series[series("queue", revision="b")] = 5
    assert metrics.query("prometheus", 'queue{revision="b"}') == 5.0


def test_nothing_and_what_is_no_number_are_no_answer(held, server):
    metrics = PrometheusMetrics({"prometheus": Server(server)})
    assert metrics.query("prometheus", "queue") is None
    held.series = {series("queue"): "NaN"}
    assert metrics.query("prometheus", "queue") is None


def test_a_wrong_query_is_the_users_fault_and_a_failing_server_is_not(held, server):
    metrics = PrometheusMetrics({"prometheus": Server(server)})
    held.series = {series("queue", revision="a"): 3, series("queue", revision="b"): 4}
    with pytest.raises(InputRefused, match="2 numbers"):
        metrics.query("prometheus", "queue")
    with pytest.raises(InputRefused, match="parse error"):
        metrics.query("prometheus", "queue{")
    held.status = 503
    with pytest.raises(SurroundingsFailed, match="503"):
        metrics.query("prometheus", "sum(queue)")


def test_servers_are_known_by_name_only():
    with pytest.raises(SurroundingsFailed, match="no metrics server is named"):
        PrometheusMetrics({}).query("http://169.254.169.254", "up")
    with pytest.raises(SurroundingsFailed, match="cannot be asked"):
        PrometheusMetrics({"gone": Server("http://127.0.0.1:1")}, timeout_s=1).query("gone", "up")


def test_the_token_is_read_anew_for_each_question(held, server, tmp_path):
    token = tmp_path / "token"
    metrics = PrometheusMetrics({"prometheus": Server(server, token)})
    for text in ("one", "two"):
        token.write_text(text + "\n")
        metrics.query("prometheus", "up")
    assert held.tokens == ["Bearer one", "Bearer two"]

"""The process itself: who works when one dies, what it costs at rest, what it tells kubelets, metrics and traces."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.leases import LONG_LEASE_S
from tests.standstill import Standstill

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]
FAIL_OVER_S = 20.0
WITHIN_S = 90.0
AT_REST_S = 10.0


def get(operator: "Operator", path: str) -> tuple[int, str]:
    """(status, text); (0, "") while nobody answers."""
    import urllib.error
    import urllib.request

    if not operator.address:
        return 0, ""
    try:
        with urllib.request.urlopen(operator.address + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def leads(operator: "Operator") -> bool:
    return "trimtab_leading 1.0" in get(operator, "/metrics")[1]


def test_another_replica_goes_on_within_20_s_of_a_kill(scene: "Scene", start_operator: Start) -> None:
    from tests.cluster.control_plane.operator.scene import QUICK
    from tests.cluster.kube.poll import eventually

    lease = {"lease": {"duration": "12s", "renewDeadline": "8s"}}  # as an installation has it by itself
    one = start_operator(lease)
    eventually("one leads", lambda: leads(one), WITHIN_S)
    other = start_operator(lease)
    eventually("the other is ready, too", lambda: get(other, "/readyz")[0] == 200, WITHIN_S)
    assert not leads(other)
    steps = [{"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "10s"}}]
    scene.serve_first(strategy={**QUICK, "steps": steps})
    scene.wish("2")
    scene.until("the candidate has half", lambda: sorted(scene.split.weights.values()) == [50, 50])
    with Standstill() as still:
        epoch, killed = scene.epoch, time.monotonic()
        one.kill()
        scene.until("the other looks after it", lambda: scene.epoch != epoch)
        assert still.since_s(killed) <= FAIL_OVER_S
    eventually("it says so", lambda: leads(other), WITHIN_S)
    scene.until("the rollout goes on to its end", lambda: scene.version("stable") == "2")
    assert [move["kind"] for move in scene.status["history"]].count("CandidateTaken") == 2
    assert other.stop() == 0


def test_one_that_is_stopped_gives_the_lease_back(scene: "Scene", start_operator: Start) -> None:
    from tests.cluster.kube.poll import eventually

    one = start_operator()
    eventually("one leads", lambda: leads(one), WITHIN_S)
    other = start_operator()
    eventually("the other is ready, too", lambda: get(other, "/readyz")[0] == 200, WITHIN_S)
    assert one.stop() == 0
    with Standstill() as still:
        stopped = time.monotonic()
        eventually("the other leads long before the lease ends", lambda: leads(other), LONG_LEASE_S / 2)
        assert still.since_s(stopped) < 8


def test_at_rest_it_asks_for_nothing_but_its_lease(
    scene: "Scene", start_operator: Start, control_plane: "ControlPlane"
) -> None:
    start_operator()
    scene.serve_first()
    scene.wish("2")
    scene.until("it is promoted", lambda: scene.version("stable") == "2")
    scene.until("nothing is left to do", lambda: scene.servers == {"2"} and not scene.version("previous"))
    scene.until("it is quiet", lambda: scene.quiet)

    def calls_in_a_while() -> list[tuple[str, str | None, str | None]]:
        since = control_plane.audit_log.stat().st_size
        threading.Event().wait(AT_REST_S)
        made = [
            (call["verb"], call.get("objectRef", {}).get("resource"), call.get("objectRef", {}).get("name"))
            for call in control_plane.calls(since)
            if call.get("userAgent", "").startswith("trimtab-drift-operator")
            and call.get("objectRef", {}).get("namespace") == scene.namespace
        ]
        return [call for call in made if call[0] != "watch" and call[1] != "leases"]

    # The first may still see the last of its work; then it asks for nothing, twice as long.
    for _ in range(3):
        if not calls_in_a_while():
            break
    assert calls_in_a_while() == []


def test_it_answers_kubelets_and_prometheus(scene: "Scene", start_operator: Start) -> None:
    from tests.cluster.kube.poll import eventually

    operator = start_operator()
    eventually("it is ready", lambda: get(operator, "/readyz") == (200, "ok\n"), WITHIN_S)
    assert get(operator, "/healthz") == (200, "ok\n")
    assert get(operator, "/elsewhere")[0] == 404
    scene.serve_first()
    about = f'name="flights",namespace="{scene.namespace}"'

    def text() -> str:
        return get(operator, "/metrics")[1]

    for told in (
        f'trimtab_rollout_phase{{{about},phase="Idle"}} 1.0',
        f'trimtab_traffic_percent{{{about},role="stable"}} 100.0',
        'trimtab_reconciles_total{kind="ModelRollout",result="ok"}',
        'trimtab_api_calls_total{code="200",resource="leases.coordination.k8s.io"',
        'trimtab_queue_depth{kind="ModelRollout"} 0.0',
    ):
        scene.until(told, lambda told=told: told in text())
    scene.delete()
    scene.until("the series go with it", lambda: about not in text())


def test_it_is_not_ready_until_its_caches_are_filled(
    scene: "Scene", start_operator: Start, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    from tests.cluster.kube.fault_proxy import FaultProxy
    from tests.cluster.kube.poll import eventually

    with FaultProxy(control_plane.admin) as proxy:
        rule = proxy.answer("GET", "/modelrollouts", 500, times=float("inf"))
        operator = start_operator(kubeconfig=proxy.login.write(tmp_path / "through"))
        eventually("it answers", lambda: get(operator, "/healthz") == (200, "ok\n"), 60)
        eventually("it was refused", lambda: proxy.count("GET", "/modelrollouts") > 1, 60)
        assert get(operator, "/readyz") == (503, "caches are being filled\n")
        proxy.lift(rule)
        eventually("it is ready", lambda: get(operator, "/readyz") == (200, "ok\n"), 90)
        operator.kill()


def test_traces_go_to_a_receiver(scene: "Scene", start_operator: Start) -> None:
    with receiver() as (port, requests):
        operator = start_operator(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        scene.serve_first()
        assert operator.stop() == 0
    spans = list(spans_of(requests))
    looks = [attributes for name, attributes in spans if name == "reconcile ModelRollout"]
    assert looks
    assert {look["trimtab.name"] for look in looks} == {"flights"}
    assert {look["k8s.namespace.name"] for look in looks} == {scene.namespace}
    told = {line["reconcile"] for line in operator.lines() if "reconcile" in line}
    assert {look["trimtab.reconcile"] for look in looks} <= told
    lines = [line for line in operator.lines() if line.get("kind") == "ModelRollout" and "generation" in line]
    assert lines
    for line in lines:
        about = line["namespace"], line["name"], line["generation"]
        assert about == (scene.namespace, "flights", scene.resource["metadata"]["generation"])
    assert any(look.get("result") == "ok" for look in looks)


@contextmanager
def receiver() -> Iterator[tuple[int, list[bytes]]]:
    """Takes what is sent by OTLP over HTTP."""
    requests: list[bytes] = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                requests.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        server.server_close()


def spans_of(requests: list[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for body in requests:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield span.name, {one.key: one.value.string_value for one in span.attributes}

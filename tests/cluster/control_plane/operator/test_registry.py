"""A rollout that follows an alias of a real MLflow server, and one whose checks ask a metrics server."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.mlflow.test_server import address as mlflow_address  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene
    from trimtab.adapters.mlflow import MlflowServerRegistry

pytestmark = pytest.mark.xdist_group("operator")
Start = Callable[..., "Operator"]
FOLLOWS = {"registry": {"providerRef": "models", "name": "flights", "pollEvery": "1s"}}


@pytest.fixture
def registry(mlflow_address: str, namespace: str) -> "MlflowServerRegistry":  # noqa: F811  # the fixture
    from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry

    return MlflowServerRegistry(MlflowServer(mlflow_address))


def test_it_follows_the_alias(
    scene: "Scene",
    start_operator: Start,
    registry: "MlflowServerRegistry",
    mlflow_address: str,  # noqa: F811  # the fixture
) -> None:
    start_operator({"providers": {"mlflow": [{"name": "models", "url": mlflow_address}]}})
    scene.create(model=FOLLOWS)
    scene.until("no version is told", lambda: scene.condition("ModelResolved")[:2] == ("False", "NotFound"))
    for version in ("1", "2", "3"):
        registry.register("flights", f"s3://models/{version}", f"0{version}" * 32, {})
    registry.set_alias("flights", "candidate", "1")
    scene.until("the first one serves", lambda: scene.version("stable") == "1" and scene.is_("Ready"))
    # The alias flaps while the second one is under way: it is not disturbed, and where the alias rests in the end
    # is what serves in the end.
    registry.set_alias("flights", "candidate", "2")
    scene.until("the second one is under way", lambda: scene.version("candidate") == "2")
    for version in ("3", "1", "2", "3", "1", "3", "2", "1"):
        registry.set_alias("flights", "candidate", version)
    scene.until("the second one is promoted", lambda: scene.version("stable") == "2")
    registry.set_alias("flights", "candidate", "3")
    scene.until("the third one is promoted", lambda: scene.version("stable") == "3")
    stable = registry.alias("flights", f"stable_{scene.namespace}_flights")
    assert stable is not None
    assert stable.version == "3"
    revision = scene.revision("stable")
    scene.wipe()
    scene.until("a wiped status comes back", lambda: scene.revision("stable") == revision)
    assert dict(scene.split.weights) == {revision: 100}


def test_checks_that_ask_a_metrics_server(scene: "Scene", start_operator: Start) -> None:
    with metrics_server() as (port, answers):
        start_operator(
            {"providers": {"prometheus": [{"name": "metrics", "url": f"http://127.0.0.1:{port}"}]}}
        )
        check = {
            "name": "memory",
            "prometheus": {"providerRef": "metrics", "query": 'memory{revision="$candidate"}'},
            "atMost": "10",
        }
        scene.serve_first(checks=[check])
        answers["memory"] = 11.0
        scene.wish("2")
        scene.until("it is refused", lambda: scene.status.get("rejected"))
        assert "memory" in scene.status["rejected"][0]["because"]
        refused = scene.status["rejected"][0]["revision"]
        assert f'memory{{revision="{refused}"}}' in answers["asked"]
        answers["memory"] = 9.0
        scene.wish("3")
        scene.until("a lighter one is promoted", lambda: scene.version("stable") == "3")
        assert scene.status["checks"] == [] or scene.status["checks"][0]["verdict"] == "Pass"


@contextmanager
def metrics_server() -> Iterator[tuple[int, dict[str, Any]]]:
    """Answers every query by `memory`, and keeps what was asked."""
    answers: dict[str, Any] = {"memory": 0.0, "asked": []}

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            from urllib.parse import parse_qs, urlsplit

            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked = parse_qs(body or urlsplit(self.path).query)
            answers["asked"] += asked.get("query", [])
            result = [{"metric": {}, "value": [0, str(answers["memory"])]}]
            text = json.dumps(
                {"status": "success", "data": {"resultType": "vector", "result": result}}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], answers
    finally:
        server.shutdown()
        server.server_close()

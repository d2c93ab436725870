"""A rollout of a stock runtime: KServe's sklearn server, and its agent that tells the collector of each request."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.conftest import Volume
from tests.cluster.node.shares import Note
from tests.cluster.node.under_load import answered_by, assert_no_failure, measured, rejected

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.kube.node import Node
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")

RATE = 100
"""Python's server of KServe's SDK and an agent beside it, twice, on two cores."""
STEPS: list[dict[str, Any]] = [
    {"name": "shadow", "shadow": {"percent": 30}, "until": {"minDuration": "30s"}},
    {"name": "fifth", "canary": {"percent": 20}, "until": {"minDuration": "30s", "maxDuration": "8m"}},
]
CHECKS = [
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": {"absolute": "0.05"},
        "block": "request",
        "require": "Pass",
    }
]


@pytest.fixture
def stock(operator: "Node", namespace: str, volume: Volume, estimators: Path) -> "Rollout":
    from tests.cluster.node.rollouts import Rollout, surroundings

    volume("models", estimators)
    operator.apply(*surroundings(namespace))
    return Rollout(operator, namespace)


def test_it_is_served_rolled_out_under_load_and_judged_by_what_the_agent_tells(
    gateway: "Gateway", stock: "Rollout", record_property: Note, tmp_path: Path
) -> None:
    from tests.cluster.kube.node_kserve import RUNTIME
    from tests.cluster.node import rollouts

    began = datetime.now(UTC).replace(second=0, microsecond=0)
    server = rollouts.predictor_of(RUNTIME, "sklearn", "v1")
    made = rollouts.rollout(stock.namespace, model("1"), steps=STEPS, checks=CHECKS, server=server)
    stock.node.cluster.create(made)
    stock.eventually("version 1 is served", lambda: stock.is_ready() and stock.serves_alone("1"))
    v1 = stock.revision()
    load = start(gateway, stock, tmp_path)
    stock.wish(model("2"))
    stock.eventually("the shadow", lambda: stock.flows("shadow"))
    v2 = stock.revision("candidate")
    assert containers(stock) == Counter({"agent": 2, "kserve-container": 2})
    measured(gateway, stock, record_property, 5, mirror=30, rate=RATE)
    stock.eventually("the canary", lambda: stock.flows("fifth"))
    measured(gateway, stock, record_property, 5, candidate=20, rate=RATE)
    stock.eventually("version 2 is stable", lambda: stock.serves_alone("2"), 420)
    answered_by(load, {"2.0"})
    ended = load.stop()
    assert_no_failure(ended, record_property, RATE)
    assert set(ended.revisions) == {"1.0", "2.0"}
    assert not rejected(stock)
    assert stock.check("errors")["verdict"] == "Pass"

    told = {revision: answered(stock, revision, began) for revision in (v1, v2)}
    # The agent holds nothing back, and sends nothing twice: what was served is what was told.
    assert told[v1] == (ended.revisions["1.0"], 0)
    assert told[v2][0] > ended.revisions["2.0"], "copies of the shadow are told too"
    assert told[v2][1] == 0


def model(version: str) -> dict[str, str]:
    return {"uri": f"pvc://models/{version}", "version": version, "digest": version * 64}


def start(gateway: "Gateway", rollout: "Rollout", folder: Path, rate: float = RATE) -> "RunningLoad":
    """V1 requests; a version is told by what it predicts."""
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node.served import MODEL, host

    bodies = folder / "bodies.json"
    bodies.write_text(json.dumps([{"instances": [[float(n)]]} for n in range(50)]))
    return RunningLoad(
        rollout.node,
        f"http://{gateway.address}/v1/models/{MODEL}:predict",
        host=host(rollout.namespace),
        bodies=bodies,
        rate=rate,
        revision=r'"predictions":\s*\[([0-9.]+)\]',
    )


def containers(rollout: "Rollout") -> Counter[str]:
    """Of the model servers' pods."""
    from trimtab.adapters.children import REVISION

    pods = rollout.node.list("pods", rollout.namespace, REVISION)
    return Counter(one["name"] for pod in pods for one in pod["spec"]["containers"])


def answered(rollout: "Rollout", revision: str, since: datetime) -> tuple[int, int]:
    """Requests of a revision that the collector holds, and those among them that count as errors."""
    from datetime import timedelta

    from trimtab.adapters.collector import Collector

    port = rollout.node.service(rollout.namespace, "trimtab-collector")
    collector = Collector(f"http://127.0.0.1:{port}")
    try:
        counts = collector.requests(revision, since, since + timedelta(hours=1), 3600)
    finally:
        collector.close()
    return sum(one.requests for one in counts), sum(one.errors for one in counts)

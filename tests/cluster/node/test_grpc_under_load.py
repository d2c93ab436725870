"""V2 over gRPC through the gateway beside REST, by the chart's own runtime: the same shares, the same mirror."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.node.deployed import BASE
from tests.cluster.node.shares import LOADS, Note, assert_share
from tests.cluster.node.under_load import answered_by, assert_no_failure, begin, start_load

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models
    from tests.cluster.node.grpc_load import GrpcLoad
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")

RATE = 100
"""Each of both."""
CALLS = 1000
RENDERED = BASE.parent / "overlays" / "standard" / "servingruntimes.yaml"


@pytest.fixture
def of_the_chart(operator: "Node") -> Iterator[dict[str, Any]]:
    """`predictor.model` of a rollout that leaves its runtime to KServe: the chart's, in this node's image."""
    from tests.cluster.kube.images import SERVING

    runtime = yaml.safe_load(RENDERED.read_text())
    [server] = runtime["spec"]["containers"]
    server["image"] = SERVING
    operator.apply(runtime)
    little = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    yield {"modelFormat": {"name": "trimtab"}, "protocolVersion": "v2", "resources": little}
    operator.kubectl("delete", "clusterservingruntime", runtime["metadata"]["name"])


def test_grpc_gets_its_shares_and_its_mirror_beside_rest_and_no_call_fails(
    gateway: "Gateway",
    rollout: "Rollout",
    models: "Models",
    of_the_chart: dict[str, Any],
    record_property: Note,
) -> None:
    from tests.cluster.node.grpc_load import GrpcLoad
    from tests.cluster.node.rollouts import model
    from tests.cluster.node.served import host

    v1 = begin(rollout, models, server=of_the_chart, match="Host")
    rest = start_load(gateway, rollout, models, rate=RATE)
    with GrpcLoad(gateway.port, host(rollout.namespace), models.requests, RATE) as calls:
        rollout.wish(model(models, "v2"))
        rollout.eventually("the shadow", lambda: rollout.flows("shadow"))
        v2 = rollout.revision("candidate")
        sent, copied = counted(gateway, rollout)
        waited(calls, CALLS)
        sent, copied = (
            now - then for now, then in zip(counted(gateway, rollout), (sent, copied), strict=True)
        )
        assert rollout.step() == "shadow"
        assert_share(record_property, "gRPC copied to the candidate", copied, sent, 30)
        assert set(calls.answered) == {v1}
        for step, percent in (("fifth", 20), ("half", 50)):
            sign_off = f"after-{step}"
            rollout.eventually(
                f"the approval {sign_off}", lambda sign_off=sign_off: rollout.step() == sign_off
            )
            before = calls.answered.copy()
            waited(calls, CALLS)
            moved = calls.answered - before
            assert_share(record_property, f"gRPC in {step}", moved[v2], moved.total(), percent)
            rollout.order("approve", v2, sign_off)
        rollout.eventually("v2 is stable", lambda: rollout.serves_alone("2"))
        answered_by(rest, {v2})
        before = calls.answered.copy()
        waited(calls, CALLS)
        assert set(calls.answered - before) == {v2}
        rate = calls.stop()
    record_property(LOADS, f"gRPC: {calls.sent} sent | {calls.failed} failed | {rate:.0f} a second")
    assert not calls.failed, calls.failures
    assert rate >= 0.95 * RATE
    ended = rest.stop()
    assert_no_failure(ended, record_property, RATE)
    assert set(ended.revisions) == {v1, v2}


def waited(calls: "GrpcLoad", count: int) -> None:
    """Wait until so many more were answered."""
    from tests.cluster.kube.poll import eventually

    answered = calls.answered.total()
    eventually("calls are answered", lambda: calls.answered.total() >= answered + count, 60)


def counted(gateway: "Gateway", rollout: "Rollout") -> tuple[int, int]:
    """Calls that the route sent, and copies of them: gRPC's rule is the route's first."""
    from tests.cluster.node.served import MODEL

    counts, rule = gateway.counts(), f"httproute/{rollout.namespace}/{MODEL}-trimtab/rule/0"
    copies = sum(count for name, count in counts.items() if name.startswith(f"{rule}-mirror-"))
    return counts.get(rule, 0), copies

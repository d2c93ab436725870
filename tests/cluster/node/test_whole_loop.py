"""The whole loop with real pods: three resources are applied, and nobody does anything from then on.

The operator's time runs 3,600 times as fast: the policy's monthly run comes after two minutes, a day's window closes
every 24 seconds. Everything else is as it is in service: runs are Jobs that train on real flights, an MLflow server
holds the models, KServe serves them, Envoy Gateway splits the traffic, and the collector takes what the model servers
report.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

pytestmark = pytest.mark.xdist_group("node")
RATE = 60
ROWS = 2000


def test_a_model_is_trained_served_found_drifted_retrained_and_replaced_with_nobody_at_hand(
    operator: "Node", gateway: "Gateway", namespace: str, tmp_path: Path, record_property: "Note"
) -> None:
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node import rehearsing
    from tests.cluster.node.rollouts import Rollout
    from tests.cluster.node.served import MODEL, host

    node, rollout = operator, Rollout(operator, namespace)
    node.load([node.images.training()])

    def eventually(what: str, probe: Callable[[], Any], within_s: float) -> None:
        try:
            rollout.eventually(what, probe, within_s)
        except AssertionError as error:
            told = {kind: seen(kind) for kind in ("driftmonitor", "retrainpolicy")}
            raise AssertionError(f"{json.dumps(told, indent=1)}\n{error}") from error

    def load(what: str, rows: list[dict[str, Any]]) -> RunningLoad:
        (tmp_path / what).write_text(json.dumps(rows))
        url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
        return RunningLoad(node, url, host=host(namespace), bodies=tmp_path / what, rate=RATE, seconds=900)

    def seen(kind: str) -> dict[str, Any]:
        return dict(node.get(kind, MODEL, namespace).get("status") or {})

    def condition(kind: str, name: str) -> tuple[str, str]:
        found = [one for one in seen(kind).get("conditions", ()) if one["type"] == name]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def attempts() -> list[tuple[str, str]]:
        return [(one["cause"], one["outcome"]) for one in seen("retrainpolicy").get("history", ())]

    with rehearsing.rehearsed(node, tmp_path, namespace) as rehearsal:
        project = rehearsing.furnish(node, namespace, rehearsal, tmp_path)
        node.apply(*rehearsing.resources(namespace, project))
        eventually("the monthly run has begun", lambda: seen("retrainpolicy").get("claim"), 180)
        eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"), 420)
        first = rollout.revision()

        rows = rehearsing.learned_rows(node, namespace, ROWS)
        calm = load("calm.json", rehearsing.bodies(rows))
        eventually("three windows are judged", lambda: len(seen("driftmonitor").get("tripped", ())) >= 3, 180)
        assert condition("driftmonitor", "Drifted")[0] == "False", seen("driftmonitor")
        assert not any(seen("driftmonitor")["tripped"]), seen("driftmonitor")
        assert attempts() == [("monthly", "Promoted")]
        ended = calm.stop()
        assert not ended.failed, ended.failures[:5]

        storm = load("storm.json", rehearsing.bodies(rows, stormy=True))
        eventually("it has drifted", lambda: condition("driftmonitor", "Drifted")[0] == "True", 120)
        worst = {one["column"] for one in seen("driftmonitor")["worst"] if one["drifted"]}
        assert worst >= {"distance", "minute_of_day"}, seen("driftmonitor")
        eventually("v2 mirrors", lambda: rollout.flows("shadow"), 420)
        eventually("v2 is stable", lambda: rollout.serves_alone("2"), 420)
        ended = storm.stop()
        assert not ended.failed, ended.failures[:5]
        assert set(ended.revisions) == {first, rollout.revision()}
        assert rollout.check("errors")["verdict"] == "Pass", rollout.check("errors")
        assert attempts() == [("monthly", "Promoted"), ("drift", "Promoted")]
        [episode] = seen("driftmonitor")["episodes"]
        assert (episode["cause"], episode["revision"]) == ("drift", first)
        assert episode["closedAt"]
        jobs = node.list("jobs", namespace, f"trimtab.dev/policy={MODEL}")
        assert [job["status"].get("succeeded") for job in jobs] == [1, 1]
        record_property("requests", f"{ended.sent} in the storm, none failed")

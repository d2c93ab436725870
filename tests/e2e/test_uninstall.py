"""A release goes while a rollout is half-way, under load; and comes again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.conftest import took

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

TEAM = "team"
SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
RATE = 100
SECONDS = 5
VALUES: dict[str, Any] = {
    "namespaces": [TEAM],
    "config": {"collector": {"storage": ""}, "tick": "2s", "settle": "3s"},
}
STEPS: list[dict[str, Any]] = [{"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "20s"}}]


def test_a_release_that_goes_in_mid_rollout_hurts_no_request_and_the_next_one_goes_on(
    cluster: "Node", gateway: "Gateway", system: str, tmp_path: Path, record_property: "Note"
) -> None:
    from tests.cluster.control_plane.chart.release import person
    from tests.cluster.kube import node_volumes
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node import rollouts
    from tests.cluster.node.exported import export_models
    from tests.cluster.node.under_load import answered_by, assert_no_failure, start_load
    from tests.e2e.shop import LITTLE

    def install() -> None:
        command = f"helm install trimtab helm/trimtab -n {system} --create-namespace -f values.yaml"
        person(command, tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(system, "trimtab-operator", 300)

    models = export_models(tmp_path / "exported")
    cluster.kubectl("create", "namespace", TEAM)
    cluster.kubectl("apply", "-n", TEAM, "-f", str(SAMPLES / "serviceaccount.yaml"))
    node_volumes.share(cluster, TEAM, "models", models.folder)
    (tmp_path / "values.yaml").write_text(json.dumps(VALUES))
    install()
    rollout = rollouts.Rollout(cluster, TEAM)
    server = {"modelFormat": {"name": "trimtab"}, "protocolVersion": "v2", "resources": LITTLE}
    with took(record_property, "kubectl apply of a rollout, until its first prediction through the gateway"):
        wished = rollouts.model(models, "v1")
        cluster.apply(rollouts.rollout(TEAM, wished, steps=STEPS, server=server))
        rollout.eventually("a prediction", lambda: predicts(gateway, models.requests))
    rollout.eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"))
    v1 = rollout.revision()

    load = start_load(gateway, rollout, models, rate=RATE)
    rollout.wish(rollouts.model(models, "v2"))
    rollout.eventually("the canary", lambda: rollout.flows("half"))
    v2, weights = rollout.revision("candidate"), rollout.weights()
    assert sorted(weights.values()) == [50, 50]
    with took(record_property, "helm uninstall in mid-rollout, until no pod is left"):
        person(f"helm uninstall trimtab -n {system} --wait", tmp_path, cluster.kubeconfig)
        eventually("no pod", lambda: not cluster.list("pods", system), 120)
    answered_by(load, {v1, v2}, SECONDS)
    assert rollout.weights() == weights
    with took(record_property, "helm install again, until both replicas are Ready"):
        install()
    rollout.eventually("v2 is stable", lambda: rollout.serves_alone("2"))
    answered_by(load, {v2})
    assert_no_failure(load.stop(), record_property, RATE)
    rollout.delete()
    person(f"helm uninstall trimtab -n {system} --wait", tmp_path, cluster.kubeconfig)


def predicts(gateway: "Gateway", requests: Path) -> bool:
    """Whether a request is answered."""
    import httpx

    from tests.cluster.node.served import MODEL, host

    body = json.loads(requests.read_text())[0]
    url = f"http://127.0.0.1:{gateway.port}/v2/models/{MODEL}/infer"
    answer = httpx.post(url, json=body, headers={"Host": host(TEAM)}, timeout=5, trust_env=False)
    return answer.status_code == 200

"""From an empty cluster by docs/install.md: models trained in pods and rolled out through the gateway; and away."""

import hashlib
import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.conftest import TOOK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
SHOP = "shop"
HOST = "models.example.com"
RATE = 20
UNTIL = {"1": "2013-03-01T05:00:00+00:00", "2": "2013-04-01T04:00:00+00:00"}
"""What each version learned from: all flights until then."""
VALUES = """\
config: {settle: 3s, tick: 2s, collector: {storage: ""}}
"""
STEPS = [
    {"name": "shadow", "shadow": {"percent": 100}, "until": {"minDuration": "15s"}},
    {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "20s", "maxDuration": "10m"}},
]
CHECKS = [
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": {"absolute": "0.05"},
        "block": "request",
        "steps": ["half"],
        "require": "Pass",
    }
]
KEPT = {
    f"customresourcedefinition.apiextensions.k8s.io/{kind}.trimtab.dev"
    for kind in ("modelrollouts", "driftmonitors", "retrainpolicies")
}


def test_the_chart_s_operator_promotes_v2_and_its_release_goes_without_a_trace(
    cluster: "Node",
    gateway: "Gateway",
    tmp_path: Path,
    record_property: "Callable[[str, object], None]",
) -> None:
    from tests.cluster.control_plane.chart.release import SYSTEM, install_page, person
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node.exported import digest_of, requests_of
    from tests.cluster.node.rollouts import Rollout
    from tests.cluster.node.served import MODEL
    from tests.cluster.node.under_load import answered_by
    from tests.e2e import training

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        record_property(TOOK, f"{time.monotonic() - began:6.1f} s  {what}")

    with timed("helm install, until both replicas are Ready"):
        person(install_page()[0], tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(SYSTEM, "trimtab-operator")
    with timed("helm upgrade with a values file, until both replicas are Ready anew"):
        (tmp_path / "values.yaml").write_text(VALUES)
        person(f"helm upgrade trimtab helm/trimtab -n {SYSTEM} -f values.yaml", tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(SYSTEM, "trimtab-operator")
    with timed("helm test"):
        person(f"helm test trimtab -n {SYSTEM}", tmp_path, cluster.kubeconfig)

    cluster.kubectl("create", "namespace", SHOP)
    person(f"kubectl apply -n {SHOP} -f manifests/samples/serviceaccount.yaml", tmp_path, cluster.kubeconfig)
    project = training.furnish(cluster, SHOP, tmp_path)
    wished = {}
    for version, until in UNTIL.items():
        with timed(f"the training pipeline in a pod, flights until {until}"):
            key = hashlib.sha256(until.encode()).hexdigest()
            trained = training.train(cluster, SHOP, "trimtab:latest", project, until, key)
        assert trained.ended["passed"], trained.ended
        wished[version] = {"uri": trained.uri, "version": version, "digest": digest_of(trained.folder)}
    bodies, requests = requests_of(trained.folder), tmp_path / "requests.json"
    requests.write_text(json.dumps(bodies))
    rollout = Rollout(cluster, SHOP)
    with timed("kubectl apply of the rollout, until the first prediction through the gateway"):
        cluster.apply(sample(wished["1"]))
        rollout.eventually("the first prediction", lambda: predicted(gateway, bodies[0]), 180)
    rollout.eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"))
    v1 = rollout.revision()

    url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
    load = RunningLoad(cluster, url, host=HOST, bodies=requests, rate=RATE, seconds=1500)
    with timed(f"v2: shadow, canary, promotion, at {RATE} requests a second"):
        rollout.wish(wished["2"])
        rollout.eventually("v2 is promoted", lambda: rollout.serves_alone("2"), 600)
    answered_by(load, {rollout.revision()})
    assert rollout.check("errors")["verdict"] == "Pass", rollout.check("errors")
    cluster.wait_for_rollout(SHOP, "trimtab-collector")
    assert not restarts(cluster, SYSTEM), cluster.explain(SYSTEM)

    with timed("helm uninstall, until no pod is left"):
        person(f"helm uninstall trimtab -n {SYSTEM} --wait", tmp_path, cluster.kubeconfig)
        rollout.eventually("no pod", lambda: not cluster.list("pods", SYSTEM), 90)
    answered_by(load, {rollout.revision()}, seconds=5)
    ended = load.stop()
    record_property(TOOK, f"{ended.sent} requests all along, {ended.failed} failed; ms: {ended.latency_ms}")
    assert not ended.failed, ended.failures[:5]
    assert v1 in ended.revisions
    assert of_release(cluster) == KEPT
    assert left_in(cluster, SYSTEM) == {
        "configmap/kube-root-ca.crt",
        "serviceaccount/default",
        "lease.coordination.k8s.io/trimtab-operator",  # as every elected controller leaves it
    }


def sample(wished: dict[str, Any]) -> dict[str, Any]:
    """manifests/samples/modelrollout.yaml, of a model on a volume, in minutes where it says days, on little room."""
    found: dict[str, Any] = yaml.safe_load((SAMPLES / "modelrollout.yaml").read_text())
    found["metadata"]["namespace"] = SHOP
    spec = found["spec"]
    spec["model"] = wished
    predictor = spec["serving"]["template"]["predictor"]
    predictor["minReplicas"] = 1
    predictor["model"]["resources"]["requests"]["cpu"] = "100m"
    spec["strategy"] = {"steps": STEPS, "warmUp": {"requests": 10, "timeout": "1m"}, "keepPrevious": "30s"}
    spec["checks"] = CHECKS
    return found


def predicted(gateway: "Gateway", body: dict[str, Any]) -> bool:
    """Whether a request from outside is answered with a prediction."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v2/models/flights/infer",
        json.dumps(body).encode(),
        {"Host": HOST, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return bool(json.load(answer)["outputs"])
    except OSError:
        return False


def restarts(cluster: "Node", namespace: str) -> int:
    pods = cluster.list("pods", namespace)
    return sum(one["restartCount"] for pod in pods for one in pod["status"].get("containerStatuses", ()))


def of_release(cluster: "Node") -> set[str]:
    """Whatever in the cluster says that it is of the release."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    listed = cluster.kubectl(
        "get", ",".join(kinds), "-A", "-l", "app.kubernetes.io/instance=trimtab", "-o", "name"
    )
    return set(listed.split())


def left_in(cluster: "Node", namespace: str) -> set[str]:
    """What is in a namespace but what tells of it."""
    told = {"events", "events.events.k8s.io", "pods.metrics.k8s.io"}
    kinds = cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    listed = cluster.kubectl("get", ",".join(sorted({*kinds} - told)), "-n", namespace, "-o", "name")
    return set(listed.split())

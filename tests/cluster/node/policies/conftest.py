"""The chart on a node on which kube-router keeps NetworkPolicies, a rollout, and pods that call what is guarded.

It is installed by helm with its own values, so what is kept is what a user gets: `monitoring` may ask the operator and
collectors.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.node.conftest import new_namespace
from tests.cluster.node.policies.callers import OPERATOR, SYSTEM, Caller

if TYPE_CHECKING:
    from tests.cluster.control_plane.chart.release import Helm
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

TEST = {"app.kubernetes.io/name": "trimtab-test", "app.kubernetes.io/instance": "trimtab"}
PREDICTOR = {"serving.kserve.io/inferenceservice": "flights"}
STEP = {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "90s", "maxDuration": "8m"}}
"""Long enough for one whole minute that has closed."""
CHECK = {
    "name": "errors",
    "metric": "error_rate",
    "noWorseThanStableBy": {"absolute": "0.02"},
    "block": "request",
    "require": "Pass",
}


@pytest.fixture(scope="session")
def policed(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Node]":
    """A node that keeps policies, with KServe's controller."""
    from tests.cluster.kube import node_kserve
    from tests.cluster.kube.node import Node

    with Node(tmp_path_factory.mktemp("policed"), keeps_policies=True) as running:
        running.load(running.images.trimtab())
        node_kserve.install(running)
        yield running


@pytest.fixture(scope="session")
def entrance(policed: "Node") -> "Gateway":
    """Its Gateway."""
    from tests.cluster.kube import gateway

    return gateway.install(policed)


@pytest.fixture(scope="session")
def release(policed: "Node", entrance: "Gateway", tmp_path_factory: pytest.TempPathFactory) -> "Helm":
    """trimtab by its chart, both replicas ready."""
    from tests.cluster.control_plane.chart.release import CHART, helm
    from tests.cluster.kube import images

    folder = tmp_path_factory.mktemp("release")
    repository, _, tag = images.OPERATOR.rpartition(":")
    config = {"settle": "3s", "tick": "2s", "collector": {"storage": ""}}
    values = {"image": {"repository": repository, "tag": tag}, "config": config}
    (folder / "values.yaml").write_text(yaml.safe_dump(values))
    made = helm(folder, policed.kubeconfig)
    made.done(
        "install", "trimtab", str(CHART), "-n", SYSTEM, "--create-namespace", "-f", f"{folder}/values.yaml"
    )
    policed.wait_for_rollout(SYSTEM, "trimtab-operator")
    return made


@pytest.fixture(scope="session")
def rollout(policed: "Node", entrance: "Gateway", release: "Helm", models: "Models") -> "Iterator[Rollout]":
    """One that serves v1, and so a predictor and a collector in its namespace."""
    from tests.cluster.kube import node_volumes
    from tests.cluster.node.rollouts import Rollout, surroundings
    from tests.cluster.node.under_load import begin

    with new_namespace(policed) as namespace:
        node_volumes.share(policed, namespace, "models", models.folder)
        policed.apply(*surroundings(namespace))
        served = Rollout(policed, namespace)
        begin(served, models, steps=[STEP], checks=[CHECK])
        policed.wait("jsonpath={.status.readyReplicas}=1", "statefulset", "trimtab-collector", namespace)
        yield served


@pytest.fixture(scope="session")
def callers(policed: "Node", rollout: "Rollout") -> "Iterator[Mapping[str, Caller]]":
    """Pods that may ask and pods that may not, by what they are."""
    policed.kubectl("create", "namespace", "monitoring")
    with new_namespace(policed) as elsewhere:
        made = {
            "of monitoring": Caller("monitoring", "prometheus"),
            "beside the collector": Caller(rollout.namespace, "stranger"),
            "elsewhere": Caller(elsewhere, "stranger"),
            "elsewhere, as a predictor": Caller(elsewhere, "predictor", PREDICTOR),
            "elsewhere, as the operator": Caller(elsewhere, "operator", OPERATOR),
            "beside the operator": Caller(SYSTEM, "stranger"),
            "beside the operator, as helm test": Caller(SYSTEM, "test", TEST),
        }
        policed.apply(*(caller.pod() for caller in made.values()))
        for caller in made.values():
            policed.wait("Ready", "pod", caller.name, caller.namespace)
        yield made

"""One whole node for all tests here: KServe, Envoy Gateway, real models. How it is made: tests/cluster/kube."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.cluster.node.shares import pytest_terminal_summary  # noqa: F401  # hook of this folder

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

Volume = Callable[[str, Path], None]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Node"]:
    """A node that is Ready, with trimtab's own images: leave it running."""
    from tests.cluster.kube.node import Node

    with Node(tmp_path_factory.mktemp("node")) as running:
        running.load(running.images.trimtab())
        yield running


@pytest.fixture(scope="session")
def kserve(node: "Node") -> "Node":
    """The node, with KServe's controller in it (mode Standard)."""
    from tests.cluster.kube import node_kserve

    node_kserve.install(node)
    return node


@pytest.fixture(scope="session")
def gateway(node: "Node") -> "Gateway":
    """A Gateway of Envoy Gateway on the node, which takes routes from any namespace."""
    from tests.cluster.kube import gateway

    return gateway.install(node)


@pytest.fixture(scope="session")
def operator(kserve: "Node", gateway: "Gateway", tmp_path_factory: pytest.TempPathFactory) -> "Node":
    """The node, with the operator as manifests/base has it: two pods, their own rights, all namespaces."""
    from tests.cluster.node import deployed

    deployed.deploy(kserve, tmp_path_factory.mktemp("overlay"))
    return kserve


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> "Models":
    """Real models v1 and v2 over flights, exported."""
    from tests.cluster.node.exported import export_models

    return export_models(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def estimators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an estimator for each version, as KServe's sklearn server loads it: version 2 predicts 2.0."""
    import joblib
    from sklearn.dummy import DummyRegressor

    root = tmp_path_factory.mktemp("estimators")
    for version, constant in (("1", 1.0), ("2", 2.0)):
        (root / version).mkdir()
        made = DummyRegressor(strategy="constant", constant=constant).fit([[0.0]], [constant])
        joblib.dump(made, root / version / "model.joblib")
    return root


@contextmanager
def new_namespace(node: "Node", labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its name; all in it goes afterwards."""
    from tests.cluster.kube.poll import eventually
    from trimtab.ports.cluster import Kind

    name, kind = f"t-{uuid4().hex[:8]}", Kind("", "v1", "Namespace", "namespaces", namespaced=False)
    account = Kind("", "v1", "ServiceAccount", "serviceaccounts")
    meta = {"name": name, "labels": dict(labels or {})}
    node.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    eventually("the default account", lambda: node.cluster.read(account, name, "default"), 30)
    yield name
    node.cluster.delete(kind, "", name)


@pytest.fixture
def namespace(node: "Node") -> Iterator[str]:
    """A new namespace; all in it goes after the test."""
    with new_namespace(node) as name:
        yield name


@pytest.fixture
def volume(node: "Node", namespace: str) -> Volume:
    """`volume(name, folder)`: a claim in the test's namespace with a copy of the folder."""
    from tests.cluster.kube import node_volumes

    return lambda name, folder: node_volumes.share(node, namespace, name, folder)


@pytest.fixture
def rollout(operator: "Node", namespace: str, volume: Volume, models: "Models") -> "Iterator[Rollout]":
    """Of the test's namespace, with both models at hand; not begun."""
    from tests.cluster.node import deployed
    from tests.cluster.node.rollouts import Rollout, surroundings

    volume("models", models.folder)
    operator.apply(*surroundings(namespace))
    yield Rollout(operator, namespace)
    assert not deployed.restarts(operator), deployed.said(operator)

"""A service account of the pipelines, with what it needs and no more; and a namespace where Jobs are made."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.runs.jobs import NAME, PIPELINE, rights
from trimtab.adapters.jobs import POD, JobRuns
from trimtab.api.resources.retrain import Pipeline

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

PIPELINES = "trimtab-pipelines"


@pytest.fixture
def account(control_plane: "ControlPlane", cluster: "Direct", namespace: str, tmp_path: Path) -> Path:
    """The folder that a pod of the service account would find: token and ca.crt."""
    allow(cluster, namespace, PIPELINES, [{"apiGroups": [""], "resources": ["configmaps"],
                                           "verbs": ["get", "create", "update", "delete"]}])  # fmt: skip
    return mounted(control_plane, namespace, PIPELINES, tmp_path / "account")


@pytest.fixture
def mount(control_plane: "ControlPlane", namespace: str, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: mounted(control_plane, namespace, name, tmp_path / name)


@pytest.fixture(scope="module")
def plane() -> Iterator[Any]:
    """A control plane with Kubernetes' own controllers, and no node: pods stay as the tests leave them."""
    from tests.cluster.kube.controllers import controller_manager
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane, controller_manager(plane):
        yield plane


@pytest.fixture
def space(plane: Any) -> Iterator[str]:
    from tests.cluster.kube.namespaces import fresh

    with fresh(plane.cluster) as name:
        allow(plane.cluster, name, PIPELINES, rights())
        yield name


@pytest.fixture
def runs(plane: Any, space: str) -> Callable[..., JobRuns]:
    def make(pipeline: dict[str, Any] = PIPELINE, **more: Any) -> JobRuns:
        return JobRuns(plane.cluster, space, "flights", Pipeline.model_validate(pipeline), **more)

    return make


@pytest.fixture
def pod(plane: Any, space: str) -> Callable[..., str]:
    """The run's pod, once the Job controller made it, with a status as a kubelet would write it."""
    from tests.cluster.kube.poll import eventually

    def write(status: dict[str, Any]) -> str:
        made = eventually(
            "the pod is made", lambda: plane.cluster.list(POD, space, {"trimtab.dev/run": NAME})
        )
        name = str(made[0]["metadata"]["name"])
        plane.cluster.merge(POD, space, name, {"status": status}, status=True)
        return name

    return write


def allow(cluster: Any, namespace: str, name: str, rules: list[dict[str, Any]]) -> None:
    """A service account that may do this in its namespace, and the API server knows it."""
    from tests.cluster.kube.rbac import grant, service_account

    meta = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    grant(cluster, namespace, name, service_account(namespace, name), rules)


def mounted(plane: Any, namespace: str, name: str, folder: Path) -> Path:
    login = plane.account(namespace, name)
    folder.mkdir()
    (folder / "token").write_text(login.credentials)
    (folder / "ca.crt").write_bytes(login.authority)
    return folder

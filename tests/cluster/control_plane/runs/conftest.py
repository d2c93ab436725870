"""A service account of the pipelines, with what it needs and no more."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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


def allow(cluster: Any, namespace: str, name: str, rules: list[dict[str, Any]]) -> None:
    """A service account that may do this in its namespace."""
    meta = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    rbac = "rbac.authorization.k8s.io"
    cluster.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules})
    cluster.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
    )


def mounted(plane: Any, namespace: str, name: str, folder: Path) -> Path:
    login = plane.account(namespace, name)
    folder.mkdir()
    (folder / "token").write_text(login.credentials)
    (folder / "ca.crt").write_bytes(login.authority)
    return folder

"""Folders of this host as volumes of a node."""

import shutil
from pathlib import Path

from tests.cluster.kube.node import Node


def share(node: Node, namespace: str, name: str, folder: Path) -> None:
    """A claim `name` in the namespace, bound to a copy of the folder that every user may read."""
    copy = node.place / "volumes" / namespace / name
    shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for parent in copy.parents:
        if parent == node.place.parent:
            break
        parent.chmod(0o755)
    volume = f"{namespace}-{name}"
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "hostPath": {"path": str(copy)},
        "claimRef": {"namespace": namespace, "name": name},
        "persistentVolumeReclaimPolicy": "Retain",
    }
    claim = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": volume,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    node.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": claim,
        },
    )
    node.wait("jsonpath={.status.phase}=Bound", "pvc", name, namespace)

"""Folders of this host as volumes of a node."""

import shutil
from pathlib import Path
from typing import Any

from tests.cluster.kube.node import Node


def share(node: Node, namespace: str, name: str, folder: Path) -> None:
    """A claim `name` in the namespace, bound to a copy of the folder that every user may read."""
    copy = node.place / "volumes" / namespace / name
    shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    volume = _volume(node, namespace, name, copy)
    claim = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": volume["metadata"]["name"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    node.apply(
        volume,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": claim,
        },
    )
    node.wait("jsonpath={.status.phase}=Bound", "pvc", name, namespace)


def offer(node: Node, namespace: str, name: str) -> Path:
    """An empty folder that every user may write to, for a claim `name` that will come; the folder."""
    folder = node.place / "volumes" / namespace / name
    folder.mkdir(parents=True)
    node.apply(_volume(node, namespace, name, folder))
    folder.chmod(0o777)
    return folder


def _volume(node: Node, namespace: str, name: str, folder: Path) -> dict[str, Any]:
    """Kept for that claim alone; its size is a word."""
    for parent in folder.parents:
        if parent == node.place.parent:
            break
        parent.chmod(0o755)
    spec = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "storageClassName": "",
        "hostPath": {"path": str(folder)},
        "claimRef": {"namespace": namespace, "name": name},
        "persistentVolumeReclaimPolicy": "Retain",
    }
    meta = {"name": f"{namespace}-{name}"}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}

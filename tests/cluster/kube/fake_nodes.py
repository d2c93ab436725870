"""Nodes that are not there: kwok plays their kubelet, so that pods are scheduled and become Ready, and nothing runs.

A pod's annotation tests.trimtab.dev/pod says what happens to it instead: `crash` (CrashLoopBackOff), `no-image`
(ImagePullBackOff), anything else, such as `by-hand`: nothing; the test writes its status.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube import versions
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.control_plane import ControlPlane
from tests.cluster.kube.golang import module
from tests.cluster.kube.manifests import documents, put
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.ports.cluster import Kind

NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
TROUBLED = Path(__file__).parent / "stages" / "troubled-pods.yaml"
ANNOTATION = "tests.trimtab.dev/pod"
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
PODS = "10.128.0.0/12"
ORDINARY: Mapping[str, str] = {"cpu": "1k", "memory": "4Ti", "pods": "20k"}


def stages() -> Iterator[dict[str, Any]]:
    """kwok's own, but that a pod with our annotation is left to ours."""
    folder = module("sigs.k8s.io/kwok", versions.KWOK) / "kustomize" / "stage"
    unmarked = {"key": f'.metadata.annotations["{ANNOTATION}"]', "operator": "DoesNotExist"}
    for stage in documents(folder / name for name in STAGES):
        if stage["metadata"]["name"] in ("pod-ready", "pod-complete"):
            stage["spec"]["selector"]["matchExpressions"].append(unmarked)
        yield stage
    yield from documents([TROUBLED])


@contextmanager
def fake_kubelet(plane: ControlPlane, capacity: Mapping[str, str] = ORDINARY) -> Iterator[Process]:
    """kwok, and one node `fake` that is Ready."""
    config = plane.folder / "kwok.yaml"
    config.write_text(yaml.safe_dump_all(stages()))
    login = plane.login("kwok", ["system:masters"]).write(plane.folder / "kwok.kubeconfig")
    kwok = Process(
        "kwok",
        [
            binary("kwok"),
            f"--config={config}",
            f"--kubeconfig={login}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--cidr={PODS}",
            "--node-ip=127.0.0.1",
        ],
        plane.folder / "log" / "kwok.log",
    )
    kwok.start()
    try:
        add_node(plane, "fake", capacity)
        yield kwok
    finally:
        kwok.stop()


def add_node(plane: ControlPlane, name: str, capacity: Mapping[str, str]) -> None:
    """One more, Ready when this returns; `{"nvidia.com/gpu": "8"}` gives it GPUs."""
    room = {**ORDINARY, **capacity}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    put(plane.cluster, [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}])
    plane.cluster.merge(NODE, "", name, {"status": {"capacity": room, "allocatable": room}}, status=True)

    def ready() -> bool:
        status = (plane.cluster.read(NODE, "", name) or {}).get("status", {})
        return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))

    eventually(f"node {name} is Ready", ready)

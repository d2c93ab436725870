"""Workers of Ray Train in pods: a RayCluster of KubeRay's, and a pod that has them do a task.

Their image has of Ray what requirements.lock has: no dashboard, and so no server of jobs. How a RayJob ended is asked
of that server alone; a RayCluster needs it for nothing, once its pods bring probes of their own.
"""

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.node.conftest import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

NAME: Final = "training"
SHARED: Final = "/shared"
HEAD_PORT: Final = 6379
CLIENT_PORT: Final = 10001
NODE_PORT: Final = 6380
STORE_BYTES: Final = 80 << 20

DRIVER: Final = """
import json, socket
from pathlib import Path
from trimtab.adapters.ray import RayWorkers

def task(member):
    import torch
    from torch import distributed
    rank, world = member.rank, member.world
    distributed.init_process_group("gloo", init_method=member.meeting, rank=rank, world_size=world)
    total, hosts = torch.ones(1) * (rank + 1), [None] * world
    distributed.all_reduce(total)
    distributed.all_gather_object(hosts, socket.gethostname())
    if rank == 0:
        member.tell("met")
    return {"total": total.item(), "hosts": hosts}

heard = []
answer = RayWorkers(Path("/shared/room")).run(task, 2, 1, "cpu", heard.append, print)
Path("/shared/answer.json").write_text(json.dumps({**answer, "heard": heard}))
"""


@pytest.fixture(scope="session")
def kuberay(node: "Node") -> "Node":
    """The node, with KubeRay's operator and the image of Ray's nodes."""
    from tests.cluster.kube import node_kuberay

    node_kuberay.install(node)
    node.load([node.images.ray()])
    return node


@pytest.fixture
def shared(kuberay: "Node", namespace: str, volume: Volume, tmp_path: "Path") -> "Path":
    """What all pods share, seen from this host: anybody may write there."""
    volume("shared", tmp_path)
    seen = kuberay.place / "volumes" / namespace / "shared"
    seen.chmod(0o777)
    return seen


def test_two_workers_in_pods_do_one_task_for_a_pod_that_joins_them_or_stays_outside_and_nothing_is_left(
    kuberay: "Node", namespace: str, shared: "Path"
) -> None:
    from tests.cluster.kube.poll import eventually

    (shared / "driver.py").write_text(DRIVER)
    kuberay.apply(cluster(namespace))
    kuberay.wait("RayClusterProvisioned", "raycluster", NAME, namespace, 240)
    workers = kuberay.list("pods", namespace, "ray.io/node-type=worker")
    for asking in (joined(namespace), outside(namespace)):
        kuberay.apply(asking)
        kuberay.wait("jsonpath={.status.phase}=Succeeded", "pod", asking["metadata"]["name"], namespace, 300)
        told = json.loads((shared / "answer.json").read_text())
        (shared / "answer.json").unlink()
        assert sorted(told["hosts"]) == sorted(one["metadata"]["name"] for one in workers)
        assert told["total"] == 3.0
        assert told["heard"] == ["met"]

    kuberay.kubectl("delete", "raycluster", NAME, "-n", namespace)
    kuberay.kubectl("delete", "pod", "joined", "outside", "-n", namespace)
    eventually("no pod is left", lambda: not kuberay.list("pods", namespace), 90)


def cluster(namespace: str) -> dict[str, Any]:
    """A head that takes no work, and two workers of one CPU each; they know each other by a token."""
    small = {
        "disable-usage-stats": "true",
        "include-log-monitor": "0",  # KubeRay drops an option that is "false"
        "node-manager-port": str(NODE_PORT),
        "object-store-memory": str(STORE_BYTES),
    }
    lead = {
        **small,
        "include-dashboard": "false",
        "no-monitor": "true",
        "num-cpus": "0",
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "rayVersion": version("ray"),
            "authOptions": {"mode": "token"},
            "headGroupSpec": {"rayStartParams": lead, "template": pod("ray-head", HEAD_PORT)},
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": 2,
                    "minReplicas": 2,
                    "maxReplicas": 2,
                    "rayStartParams": {**small, "num-cpus": "1"},
                    "template": pod("ray-worker", NODE_PORT),
                }
            ],
        },
    }


def pod(name: str, port: int) -> dict[str, Any]:
    """One node of Ray. KubeRay's own probes would ask the dashboard's agent, by wget: here are neither."""
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 2, "failureThreshold": 60}
    return {"spec": {"containers": [{**container(name), "readinessProbe": probe, "livenessProbe": probe}],
                     "volumes": VOLUMES, "terminationGracePeriodSeconds": 5}}  # fmt: skip


VOLUMES: Final = [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}]


def container(name: str) -> dict[str, Any]:
    from tests.cluster.kube import images

    return {
        "name": name,
        "image": images.RAY,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "shared", "mountPath": SHARED}],
    }


def joined(namespace: str) -> dict[str, Any]:
    """A pod that becomes a node of Ray, without a CPU to give: 450 MB."""
    join = (
        "ray start --address=$RAY_ADDRESS --num-cpus=0 --include-log-monitor=0 --disable-usage-stats"
        f" --object-store-memory={STORE_BYTES}"
    )
    return driver(
        namespace, "joined", f"{join} && python {SHARED}/driver.py", f"{head(namespace)}:{HEAD_PORT}"
    )


def outside(namespace: str) -> dict[str, Any]:
    """A pod that speaks to the head's client server, where another process of the head's stands for it."""
    return driver(
        namespace, "outside", f"python {SHARED}/driver.py", f"ray://{head(namespace)}:{CLIENT_PORT}"
    )


def driver(namespace: str, name: str, script: str, address: str) -> dict[str, Any]:
    """Who has a task done: it knows the head, and the token that KubeRay drew."""
    token = {"secretKeyRef": {"name": NAME, "key": "auth_token"}}
    given = {
        **container(name),
        "command": ["/bin/bash", "-c", script],
        "env": [
            {"name": "RAY_ADDRESS", "value": address},
            {"name": "RAY_AUTH_MODE", "value": "token"},
            {"name": "RAY_AUTH_TOKEN", "valueFrom": token},
        ],
    }
    spec = {"restartPolicy": "Never", "containers": [given], "volumes": VOLUMES}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def head(namespace: str) -> str:
    """The head's name in the cluster's DNS, where it stands once the head is ready."""
    return f"{NAME}-head-svc.{namespace}.svc.cluster.local"

"""`training.where: kuberay` on a node: a pod that trains, KubeRay's own operator, and workers in pods of their own.

Their image has of Ray what requirements.lock has: no dashboard, and so no server of jobs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import pytest

from tests.cluster.kuberay_rules import documented_rules
from tests.cluster.node.conftest import Volume

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

NAME: Final = "training"
ACCOUNT: Final = "trimtab-pipelines"
SHARED: Final = "/trimtab"
CONTRACT: Final = Path(__file__).parents[3] / "contract"
LEARNER: Final = CONTRACT / "ray" / "learner.py"
SEARCHER: Final = CONTRACT / "ray" / "searcher.py"
SLOWLY: Final = "time.sleep(0.25)"
"""In each of about 11 steps of each of 4 epochs."""
ENDED: Final = ("Succeeded", "Failed")


@pytest.fixture(scope="session")
def kuberay(node: "Node") -> "Node":
    """The node, with KubeRay's operator and the image of Ray's nodes."""
    from tests.cluster.kube import node_kuberay

    node_kuberay.install(node)
    node.load([node.images.ray()])
    return node


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What two workers on this machine learn."""
    root = tmp_path_factory.mktemp("here")
    learner = [sys.executable, LEARNER, root, "small", "2"]
    done = subprocess.run(learner, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return learned(done.stdout)


@pytest.fixture
def shared(kuberay: "Node", namespace: str, volume: Volume, tmp_path: Path) -> Path:
    """What all pods share, seen from this host: anybody may write there."""
    for script in (LEARNER, SEARCHER, CONTRACT / "search" / "search_world.py"):
        shutil.copy(script, tmp_path)
    volume("shared", tmp_path)
    seen = kuberay.place / "volumes" / namespace / "shared"
    seen.chmod(0o777)
    return seen


class Training:
    """A pod that trains by learner.py."""

    def __init__(self, node: "Node", namespace: str, shared: Path) -> None:
        self.node, self.namespace, self.shared = node, namespace, shared

    def begin(self, line: str = "pass", device: str = "auto") -> None:
        self.run(f'learner.py $ROOT small 2 "$LINE" kuberay {device}', line)

    def run(self, script: str, line: str = "") -> None:
        meta = {"name": ACCOUNT, "namespace": self.namespace}
        rbac = "rbac.authorization.k8s.io"
        self.node.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": documented_rules()},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": ACCOUNT},
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}],
            },
            pod(self.namespace, script, line),
        )

    @property
    def log(self) -> str:
        return self.node.kubectl("logs", NAME, "-n", self.namespace)

    def until(self, said: str, within_s: float = 240) -> None:
        from tests.cluster.kube.poll import eventually

        self.node.wait("Ready", "pod", NAME, self.namespace, 60)

        def heard() -> bool:
            assert self.phase not in ENDED, self.log
            return said in self.log

        eventually(f"it says '{said}'", heard, within_s)

    def ended(self, within_s: float = 300) -> str:
        from tests.cluster.kube.poll import eventually

        eventually("it has ended", lambda: self.phase in ENDED, within_s)
        return self.log

    @property
    def phase(self) -> str:
        found: str = self.node.get("pod", NAME, self.namespace)["status"].get("phase", "")
        return found

    def kill(self) -> None:
        """As the kernel does that is out of memory: without a word."""
        running = [one for one in psutil.process_iter(["cmdline"]) if self._is(one.info["cmdline"] or [])]
        assert running
        for one in running:
            os.kill(one.pid, signal.SIGKILL)

    def _is(self, cmdline: list[str]) -> bool:
        return f"{SHARED}/learner.py" in cmdline and f"{SHARED}/{self.namespace}" in cmdline

    def nodes(self, type_: str = "") -> list[str]:
        """Pods of Ray."""
        selector = f"ray.io/node-type={type_}" if type_ else "ray.io/cluster"
        return [one["metadata"]["name"] for one in self.node.list("pods", self.namespace, selector)]

    def left(self) -> list[str]:
        """What still stands of what it made."""
        secrets = [one["metadata"]["name"] for one in self.node.list("secrets", self.namespace)]
        clusters = [one["metadata"]["name"] for one in self.node.list("rayclusters", self.namespace)]
        return [*secrets, *clusters, *self.nodes()]


@pytest.fixture
def training(kuberay: "Node", namespace: str, shared: Path) -> Training:
    return Training(kuberay, namespace, shared)


def test_a_worker_whose_pod_dies_changes_no_bit_and_nothing_is_left(training: Training, here: str) -> None:
    from tests.cluster.kube.poll import eventually

    training.begin(SLOWLY)
    training.until("epoch 1 of 4")
    assert len(training.nodes("worker")) == 2
    training.node.kubectl(
        "delete", "pod", training.nodes("worker")[0], "-n", training.namespace, "--grace-period=0", "--force"
    )
    log = training.ended()
    assert training.phase == "Succeeded", log
    assert "2 workers start in pods of RayCluster trimtab-ray-" in log
    assert "a worker died: all 2 are started anew" in log
    assert "goes on from its checkpoint: epoch" in log
    assert learned(log) == here
    eventually("nothing is left", lambda: not training.left(), 60)


def test_a_pod_that_is_killed_leaves_no_workers(training: Training) -> None:
    from tests.cluster.kube.poll import eventually
    from trimtab.adapters.kuberay.watch import SILENT_S

    training.begin(SLOWLY)
    training.until("epoch 1 of 4")
    training.kill()
    training.ended(60)
    assert training.nodes()
    killed = time.monotonic()
    eventually("no pod of Ray is left", lambda: not training.nodes(), SILENT_S + 60)
    assert time.monotonic() - killed > SILENT_S / 2


def suspended(training: Training) -> None:
    name = training.node.list("rayclusters", training.namespace)[0]["metadata"]["name"]
    patch = json.dumps({"spec": {"suspend": True}})
    training.node.kubectl("patch", "raycluster", name, "-n", training.namespace, "--type=merge", "-p", patch)


def beheaded(training: Training) -> None:
    head = training.nodes("head")[0]
    training.node.kubectl("delete", "pod", head, "-n", training.namespace, "--grace-period=0", "--force")


@pytest.mark.parametrize(
    ("taken_away", "said"), [(suspended, "was suspended in mid-task"), (beheaded, "has lost its head")]
)
def test_pods_that_are_taken_away_end_the_step_in_a_sentence_and_the_next_try_goes_on(
    training: Training, here: str, taken_away: Callable[[Training], None], said: str
) -> None:
    from tests.cluster.kube.poll import eventually

    training.begin(SLOWLY)
    training.until("epoch 1 of 4")
    taken_away(training)
    log = training.ended(120)
    assert training.phase == "Failed"
    assert said in log, log
    eventually("nothing is left", lambda: not training.left(), 60)
    training.node.kubectl("delete", "pod", NAME, "-n", training.namespace)
    training.begin(SLOWLY)  # another model.py would have other checkpoints
    log = training.ended()
    assert "goes on from its checkpoint: epoch" in log
    assert learned(log) == here


def test_trials_of_a_search_run_at_once_in_pods(training: Training) -> None:
    from tests.cluster.kube.poll import eventually

    training.run("searcher.py $ROOT 10 kuberay")
    log = training.ended()
    assert training.phase == "Succeeded", log
    assert "trial 0 of 10 (the project's own)" in log
    tried = json.loads(log.splitlines()[-1])
    assert len(tried) == 10
    assert min(value for _, _, value, _, _ in tried if value is not None) < tried[0][2]
    hosts = {one.name.split("-", 2)[2] for one in (training.shared / training.namespace).glob("at-*")}
    assert len(hosts) == 2
    assert all("-worker-" in host for host in hosts), hosts
    eventually("nothing is left", lambda: not training.left(), 60)


def test_gpus_that_no_node_has_are_told_in_a_sentence(training: Training) -> None:
    from tests.cluster.kube.poll import eventually

    training.begin(device="cuda")
    training.until("nvidia.com/gpu")
    assert "add a node with GPUs, or say training.device: cpu" in training.log
    training.node.kubectl("delete", "pod", NAME, "-n", training.namespace)
    eventually("nothing is left", lambda: not training.left(), 60)


@pytest.fixture
def gpus_on_paper(kuberay: "Node") -> Iterator[None]:
    """The node says that it has GPUs, as an administrator may advertise what no plugin knows."""
    name = kuberay.list("nodes", "default")[0]["metadata"]["name"]

    def patch(op: str) -> None:
        change = [{"op": op, "path": "/status/capacity/nvidia.com~1gpu", "value": "2"}]
        kuberay.kubectl(
            "patch", "node", name, "--subresource=status", "--type=json", "-p", json.dumps(change)
        )

    patch("add")
    yield
    patch("remove")


def test_each_worker_is_placed_with_a_gpu_and_a_driver_that_is_not_there_is_told(
    gpus_on_paper: None, training: Training
) -> None:
    from tests.cluster.kube.poll import eventually

    training.begin(device="cuda")
    training.until("2 workers start in pods of RayCluster")
    eventually("both are placed", lambda: len(placed(training)) == 2, 60)
    for worker in placed(training):
        assert worker["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] in (1, "1")
    log = training.ended()
    assert training.phase == "Failed"
    assert "was given a GPU, and torch finds none there" in log, log
    eventually("nothing is left", lambda: not training.left(), 60)


def placed(training: Training) -> list[Any]:
    """Workers that the scheduler gave a node."""
    held = training.node.list("pods", training.namespace, "ray.io/node-type=worker")
    return [one for one in held if one["spec"].get("nodeName")]


def learned(log: str) -> str:
    found = re.search(r"^learned (\w+)$", log, re.MULTILINE)
    assert found, log
    return found.group(1)


def pod(namespace: str, script: str, line: str) -> dict[str, Any]:
    from tests.cluster.kube import images

    command = f"mkdir -p $ROOT && exec python {SHARED}/{script}"
    container = {
        "name": "run",
        "image": images.RAY,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash", "-c", command],
        "env": [
            {"name": "ROOT", "value": f"{SHARED}/{namespace}"},
            {"name": "LINE", "value": line},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "shared", "mountPath": SHARED}],
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    }

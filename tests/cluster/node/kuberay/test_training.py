"""`training.where: kuberay` on a node: a pod that trains, KubeRay's own operator, and workers in pods of their own."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.kuberay.trainings import NAME, SLOWLY, Training, learned

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")


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
    assert "2 workers start in pods of RayJob trimtab-ray-" in log
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
    eventually("nothing is held", lambda: not training.held(), SILENT_S + 60)
    assert time.monotonic() - killed > SILENT_S / 2


def test_a_pod_that_is_deleted_in_mid_training_takes_all_of_it_along(training: Training) -> None:
    from tests.cluster.kube.poll import eventually

    training.begin(SLOWLY)
    training.until("epoch 1 of 4")
    training.node.kubectl("delete", "pod", NAME, "-n", training.namespace, "--wait=false")
    eventually("nothing is left", lambda: not training.left(), 60)


def suspended(training: Training) -> None:
    name = training.node.list("rayjobs", training.namespace)[0]["metadata"]["name"]
    patch = json.dumps({"spec": {"suspend": True}})
    training.node.kubectl("patch", "rayjob", name, "-n", training.namespace, "--type=merge", "-p", patch)


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


@pytest.fixture
def bucket(kuberay: "Node", tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of who reads and writes in the bucket `lake`, which the node's pods can reach."""
    from tests.cluster.kube.node import ADDRESS
    from tests.contract.s3_server import S3Server, environment

    inside = ("nsenter", f"--net=/proc/{kuberay.pid}/ns/net", "--")
    server = S3Server(tmp_path / "s3", ADDRESS, inside, partial(kuberay.forward, ADDRESS))
    yield environment(server.port, ADDRESS)
    server.kill()


@pytest.mark.parametrize("reader", ["own", "ray-data"])
def test_workers_in_pods_read_their_rows_from_a_bucket(
    training: Training, here: str, bucket: Mapping[str, str], reader: str
) -> None:
    from tests.contract.ray.learner import BUCKET, READER

    training.environment = {**bucket, BUCKET: "s3://lake/pods", READER: reader}
    training.begin()
    log = training.ended()
    assert training.phase == "Succeeded", log
    assert learned(log) == here
    assert not list(training.shared.rglob("*.parquet")), "rows lie in the bucket alone"


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
    training.until("2 workers start in pods of RayJob")
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

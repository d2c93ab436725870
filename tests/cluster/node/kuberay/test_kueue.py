"""Kueue beside KubeRay's operator: workers wait for their quota, get it, and have it taken away again."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.node.kuberay.queues import QUEUE, URGENT, Queue
from tests.cluster.node.kuberay.trainings import NAME, Training, learned, pod
from trimtab.adapters.kuberay.ray_job import QUEUE as QUEUE_LABEL

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

MORE_SLOWLY: Final = "time.sleep(1)"
"""In each of about 11 steps of each of 4 epochs: Kueue and KubeRay take some seconds to take pods away."""
BEGIN_S: Final = 75.0


@pytest.fixture
def queue(kueue: "Node", namespace: str, training: Training) -> Iterator[Queue]:
    """In which the workers of the training wait; it offers nothing yet."""
    training.environment |= {"TRIMTAB_QUEUE": QUEUE, "BEGIN_S": str(BEGIN_S)}
    queue = Queue(kueue, namespace)
    yield queue
    queue.delete()


def test_workers_wait_for_their_quota_as_long_as_it_takes_and_say_what_it_lacks(
    training: Training, queue: Queue, here: str
) -> None:
    from tests.cluster.kube.poll import eventually

    queue.offer(cpu="200m")
    training.begin()
    training.until("insufficient quota for cpu in flavor any")
    since = time.monotonic()
    assert "it is suspended: it waits to be admitted" in training.log
    assert (
        "maximum capacity (200m); raise the quota of its ClusterQueue, or take fewer workers" in training.log
    )
    [workload] = queue.workloads()
    assert workload["metadata"]["ownerReferences"][0]["kind"] == "RayJob"
    eventually("it waits on", lambda: time.monotonic() - since > BEGIN_S + 5, BEGIN_S + 10)
    assert training.phase == "Running"
    assert not training.nodes()
    queue.offer(cpu="1")
    log = training.ended()
    assert training.phase == "Succeeded", log
    assert learned(log) == here
    eventually("nothing is left", lambda: not training.left() and not queue.workloads(), 60)


def drained(queue: Queue) -> Callable[[], None]:
    queue.offer(cpu="1", stop="HoldAndDrain")
    return lambda: queue.offer(cpu="1")


def outbid(queue: Queue) -> Callable[[], None]:
    queue.outbid()

    def give_back() -> None:
        queue.node.kubectl("delete", "job", URGENT, "-n", queue.namespace)

    return give_back


@pytest.mark.parametrize(
    ("taken_away", "said"),
    [(drained, "The ClusterQueue is stopped"), (outbid, "Preempted to accommodate a workload")],
)
def test_a_quota_that_is_taken_away_in_mid_training_is_told_and_the_next_try_goes_on_once_it_has_one(
    training: Training, queue: Queue, here: str, taken_away: Callable[[Queue], Callable[[], None]], said: str
) -> None:
    from tests.cluster.kube.poll import eventually

    queue.offer(cpu="1")
    training.begin(MORE_SLOWLY)
    training.until("epoch 1 of 4")
    give_back = taken_away(queue)
    log = training.ended(120)
    assert training.phase == "Failed"
    assert f"was suspended in mid-task (Kueue: {said}" in log, log
    eventually("nothing is left", lambda: not training.left(), 60)
    training.node.kubectl("delete", "pod", NAME, "-n", training.namespace)
    training.begin(MORE_SLOWLY)
    training.until("it waits to be admitted")
    give_back()
    log = training.ended()
    assert "goes on from its checkpoint: epoch" in log
    assert learned(log) == here


def test_a_label_in_place_of_the_variable_has_kueue_hold_back_the_training_pod_itself(
    kueue: "Node", namespace: str, queue: Queue
) -> None:
    from tests.cluster.kube import images
    from tests.cluster.kube.poll import eventually

    queue.offer(cpu="50m")
    labelled = pod(namespace, "learner.py", {}, images.RAY)
    labelled["metadata"]["labels"] = {QUEUE_LABEL: QUEUE}
    del labelled["spec"]["serviceAccountName"]
    kueue.apply(labelled)
    eventually("it stands in the queue", queue.workloads, 60)
    status = kueue.get("pod", NAME, namespace)["status"]
    assert [one["reason"] for one in status["conditions"]] == ["SchedulingGated"]

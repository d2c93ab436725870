"""Limits that a cluster sets, met for real: each ends a training in a sentence that names which and what to do."""

import re
from dataclasses import replace

import pytest

from tests.cluster.node.kuberay.trainings import NAME, Training

pytestmark = pytest.mark.xdist_group("node")

HUNGRY = (
    'self.hungry = self.calls > 15 or os.path.exists(os.environ["ROOT"] + "/hungry"); '
    'self.hungry and open(os.environ["ROOT"] + "/hungry", "w").close(); '
    'self.hog = b"x" * (4 << 30 if self.hungry else 1)'
)
"""4 GiB from the second epoch on, and at each try after it, under the 2 GiB that a worker may have."""


KILLED = (
    r"ran out of memory \(OOMKilled\); raise the memory of the training pod \(spec\.pipeline\.job\.memory\)"
    r"|out of memory: (the kernel|Ray) killed \d+ process(?s:.*)give each worker more memory, or lower "
    r"training\.batchRows"
)
"""By cgroup v2, whose kubelet ends the container with all in it; by v1, where the process alone is ended, no status
tells of it, and the kernel's count does; or by Ray's own node, if that is quicker."""


def test_a_worker_that_outgrows_its_memory_is_told_with_what_to_raise(training: Training) -> None:
    from tests.cluster.kube.poll import eventually

    training.memory = "2Gi"
    training.begin(HUNGRY)
    log = training.ended()
    assert training.phase == "Failed", log
    assert re.search(KILLED, log), log
    kept = training.shared / training.namespace / "checkpoints-small"
    assert list(kept.rglob("*.checkpoint")), "what was good is kept"
    eventually("nothing is left", lambda: not training.left(), 60)


def test_a_quota_too_small_for_the_workers_is_told_and_the_training_begins_once_it_is_raised(
    training: Training, here: str
) -> None:
    training.node.apply(quota(training.namespace, pods="1"))
    training.begin()
    training.until("exceeded quota")
    assert "raise the namespace's ResourceQuota, or take fewer workers" in training.log
    training.node.apply(quota(training.namespace, pods="10"))
    log = training.ended()
    assert training.phase == "Succeeded", log
    assert f"learned {here}" in log


def test_an_image_that_cannot_be_had_ends_the_step_with_where_to_look(training: Training) -> None:
    from tests.cluster.kube.poll import eventually

    fleeting = replace(training.node.images.ray(), name="localhost/trimtab-ray:fleeting")
    training.node.load([fleeting])
    training.image = fleeting.name
    training.begin()
    training.node.wait("Ready", "pod", NAME, training.namespace, 60)
    training.node.forget(fleeting.name)  # as on a node of a larger cluster that never had it
    log = training.ended()
    assert training.phase == "Failed"
    assert fleeting.name in log, log
    assert "see its name, its registry and imagePullSecrets" in log
    eventually("nothing is left", lambda: not training.left(), 60)


def quota(namespace: str, **hard: str) -> dict[str, object]:
    meta = {"name": "little", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}

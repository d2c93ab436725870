"""A RetrainPolicy whose Job trains in pods of a RayJob that waits in a queue: from its schedule to the candidate.

Nothing serves here, so the candidate stays one.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.node.kuberay.queues import QUEUE, Queue
from tests.cluster.node.kuberay.trainings import workers_in_pods

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

pytestmark = pytest.mark.xdist_group("node")

FAMILY: Final = re.compile(r"^model:\n(?:  .*\n)+", re.MULTILINE)
RUNS: Final = "trimtab.dev/policy"
TAKEN: Final = "was suspended in mid-task (Kueue: The ClusterQueue is stopped"
SLOWLY: Final = "  epochs: 20\n  batchRows: 64\n  checkpointEvery: 0s\n  workers: 2\n  where: kuberay\n"
"""Kueue and KubeRay take some seconds to take pods away."""
SMALL: Final = {"cpu": "400m", "memory": "2Gi"}
"""Of the Job's pod and of each worker: three of them are to have room on two cores."""


@pytest.fixture(scope="module")
def operator(kuberay: "Node", tmp_path_factory: pytest.TempPathFactory) -> "Node":
    """The node, with trimtab's operator and the kinds that it writes; nobody serves what these ask for."""
    from tests.cluster.kube import manifests, modules
    from tests.cluster.node import deployed

    manifests.install(kuberay.cluster, [*modules.gateway_api_crds(), *modules.kserve_crds()])
    deployed.deploy(kuberay, tmp_path_factory.mktemp("overlay"))
    return kuberay


def network_in_pods(data: Path) -> Mapping[str, str]:
    """Two months of every fourth flight, learned from by two workers in pods of their own."""
    from tests.cluster.node.components import shop
    from tests.cluster.node.rehearsing import HOME

    shop.write_data(data)
    declared = (shop.ROOT / "examples" / "flights" / "trimtab.yaml").read_text()
    [family] = FAMILY.findall(declared)
    return {
        family: "model: network.py\n",
        "  epochs: 8\n": SLOWLY,
        "atLeast: 0.68": "atLeast: 0.4",
        "flights.csv.zip": "flights.csv",
        f"package:{shop.DATA}": f"{HOME}/data",
    }


def test_a_policys_job_trains_in_pods_that_are_taken_away_once_and_registers_a_candidate(
    operator: "Node", kueue: "Node", namespace: str, tmp_path: Path
) -> None:
    from tests.cluster.kube import images
    from tests.cluster.kube.errors import ClusterToolFailed
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node import rehearsing

    team = rehearsing.Team(operator, namespace, training=images.RAY, mlflow=images.RAY)
    queue = Queue(operator, namespace)

    def until(what: str, probe: Callable[[], object], within_s: float) -> None:
        try:
            eventually(what, probe, within_s, every_s=1.0)
        except ClusterToolFailed as error:
            told = team.seen("retrainpolicy")
            raise AssertionError(f"{error}\n{told}\n{operator.explain(namespace)}") from error

    def said() -> str:
        """What the Job's pods said; nothing while one of them starts."""
        try:
            return operator.kubectl("logs", "-n", namespace, "-l", RUNS, "--tail=-1")
        except ClusterToolFailed:
            return ""

    with rehearsing.rehearsed(operator, tmp_path, namespace) as rehearsal:
        rollout, _, policy = team.resources(team.furnish(rehearsal, tmp_path, network_in_pods))
        policy["spec"]["target"] = {"rolloutRef": rollout["metadata"]["name"]}
        policy["spec"]["triggers"] = rehearsing.TRIGGERS[:1]
        job = policy["spec"]["pipeline"]["job"]
        job |= {**SMALL, "retries": 1}
        job["env"].append({"name": "TRIMTAB_QUEUE", "value": QUEUE})
        queue.offer(cpu="1")
        operator.apply(*workers_in_pods(namespace), rollout, policy)
        until("the monthly run has begun", lambda: operator.list("jobs", namespace), 180)
        until("it learns in pods", lambda: "epoch 1 of" in said(), 300)
        assert len(operator.list("pods", namespace, "ray.io/node-type=worker")) == 2
        for made_by in (RUNS, "ray.io/cluster"):
            assert all(unwritable(pod) for pod in operator.list("pods", namespace, made_by))
        queue.offer(cpu="1", stop="HoldAndDrain")
        until("they are taken away", lambda: TAKEN in said(), 60)
        until("the next try waits", lambda: "is inactive" in said(), 180)
        queue.offer(cpu="1")
        until("the run has ended", team.attempts, 900)
        assert "goes on from its checkpoint: epoch" in said()
        [attempt] = team.seen("retrainpolicy")["history"]
        assert (attempt["outcome"], attempt.get("version")) == ("Candidate", "1"), attempt
        [made] = operator.list("jobs", namespace)
        until("its Job is complete", lambda: tries(operator, namespace, made) == (1, 1), 60)
        until("nothing of Ray is left", lambda: not rays(operator, namespace), 60)
    queue.delete()


def unwritable(pod: Mapping[str, Any]) -> bool:
    """Whether no container of it can write outside its volumes."""
    containers = pod["spec"]["containers"]
    return all(one["securityContext"].get("readOnlyRootFilesystem") for one in containers)


def tries(node: "Node", namespace: str, job: Mapping[str, Any]) -> tuple[int, int]:
    """How many pods of a Job succeeded, and failed."""
    status = node.get("job", job["metadata"]["name"], namespace)["status"]
    return status.get("succeeded", 0), status.get("failed", 0)


def rays(node: "Node", namespace: str) -> list[object]:
    """RayJobs, RayClusters, and pods of Ray."""
    made = (node.list(kind, namespace) for kind in ("rayjobs", "rayclusters"))
    return [*(one for held in made for one in held), *node.list("pods", namespace, "ray.io/cluster")]

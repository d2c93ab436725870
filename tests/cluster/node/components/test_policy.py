"""A policy's run with a pod for each step, as the operator starts it and hears of its end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.node.components import shop
from tests.cluster.node.components.conftest import ACCOUNT
from trimtab.adapters.jobs import JOB, POD, JobRuns
from trimtab.adapters.jobs.job import HOME, RUN_LABEL
from trimtab.adapters.step_pods import STEPS_OF, Ir
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.runs import RunState

if TYPE_CHECKING:
    from tests.cluster.node.components.conftest import Team

pytestmark = pytest.mark.xdist_group("node")

KEY: Final = "fedcba9876543210" * 4
ENOUGH: Final = {"cpu": "500m", "memory": "1Gi"}
"""Of a pod that only puts steps in order."""


@pytest.fixture
def runs(team: "Team") -> Iterator[JobRuns]:
    job = {
        "image": shop.images.RAY,
        "platform": "cluster",
        **ENOUGH,
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": shop.CLAIM}}],
        "volumeMounts": [{"name": "home", "mountPath": HOME}],
        "nodeSelector": {shop.POOL: "training"},
        "tolerations": [{"key": shop.POOL, "operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True},
    }
    declared = {"project": team.projects["of a policy"], "serviceAccountName": ACCOUNT, "job": job}
    policy = JobRuns(team.node.cluster, team.namespace, "shop", Pipeline.model_validate(declared))
    yield policy
    policy.end(KEY)


def test_a_step_is_a_pod_and_a_run_whose_own_pod_dies_goes_on_with_the_step_that_it_was_at(
    team: "Team", runs: JobRuns
) -> None:
    from tests.cluster.kube.errors import ClusterToolFailed
    from tests.cluster.kube.poll import eventually

    def steps(run: str) -> list[dict[str, Any]]:
        return list(team.node.cluster.list(POD, team.namespace, {STEPS_OF: run}))

    def own(run: str) -> list[str]:
        found = team.node.cluster.list(POD, team.namespace, {RUN_LABEL: run})
        return [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]

    started = runs.start(KEY, {"until": shop.UNTIL})
    try:
        eventually("it trains", lambda: "train" in running(steps(started.id)), 180)
        [first] = own(started.id)
        team.node.kubectl("delete", "pod", first, "-n", team.namespace, "--grace-period=0", "--force")
        eventually("its Job has ended", lambda: over(team, started.id), 300)
    except ClusterToolFailed as error:
        raise AssertionError(f"{error}\n{team.node.explain(team.namespace)}") from error
    run = runs.find(KEY)
    assert run is not None
    assert (run.state, run.passed) == (RunState.SUCCEEDED, True), run
    [second] = own(started.id)
    again = steps(started.id)
    assert {pod["metadata"]["ownerReferences"][0]["name"] for pod in again} == {second}
    assert sorted(map(task, again)) == sorted(
        ["admit", "train", "evaluate", "refit", "materialize", "export", "register", "report"]
    )
    ir = Ir.read(team.irs["training"])
    for pod in again:
        said, [container] = ir.executors[ir.labels[task(pod)]]["container"], pod["spec"]["containers"]
        assert (container["image"], container["command"]) == (said["image"], said["command"])
        assert container["args"][2:] == said["args"][2:]
        assert container["resources"]["requests"]["memory"] == said["resources"]["resourceMemoryRequest"]
    runs.end(KEY)
    eventually("its Job is gone", lambda: not team.node.cluster.read(JOB, team.namespace, run.id), 60)
    eventually("and all its pods", lambda: not [*own(run.id), *steps(run.id)], 60)


def over(team: "Team", job: str) -> bool:
    """A run is done when it has registered; its Job, when the report is written too."""
    status = team.node.get("job", job, team.namespace).get("status", {})
    return any(
        one["type"] in ("Complete", "Failed") and one["status"] == "True"
        for one in status.get("conditions", [])
    )


def running(pods: list[dict[str, Any]]) -> list[str]:
    return [task(pod) for pod in pods if pod["status"].get("phase") == "Running"]


def task(pod: dict[str, Any]) -> str:
    """
    >>> task({"metadata": {"name": "shop-fedcba9876543210-abcde-export-2-11", "ownerReferences": [
    ...     {"name": "shop-fedcba9876543210-abcde"}]}})
    'export-2'
    """
    meta = pod["metadata"]
    rest: str = meta["name"].removeprefix(f"{meta['ownerReferences'][0]['name']}-")
    return rest.rpartition("-")[0]

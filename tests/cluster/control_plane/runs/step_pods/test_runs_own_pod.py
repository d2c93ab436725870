"""What a run's pod sees to before its steps begin: time, what was left, and the volume that they share."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow
from tests.cluster.control_plane.runs.jobs import KEY, PIPELINE, UNTIL
from tests.cluster.control_plane.runs.step_pods.world import (
    DONE,
    EVENTS,
    Mounts,
    run_pod,
    step_of,
    train,
)
from tests.cluster.documented_rules import documented_rules
from trimtab.adapters.jobs import POD, JobRuns
from trimtab.adapters.jobs.job import RUN_LABEL
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.step_pods import PodTasks, end_steps, ends_at, own_pod, see_volume
from trimtab.api.errors import InputRefused
from trimtab.api.platform import Volume


def test_a_step_ends_when_its_job_must(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], runs: Callable[..., JobRuns],
    called: PodApi, plane: Any, space: str, tmp_path: Path,
) -> None:  # fmt: skip
    from tests.cluster.kube.poll import eventually

    assert ends_at(called, run_pod(space)) is None
    declared = {**PIPELINE, "job": {**PIPELINE["job"], "deadline": "1h"}}
    own = run_pod(space)
    own["metadata"]["labels"] = {RUN_LABEL: runs(declared).start(KEY, UNTIL).id}
    ends = eventually("the Job has begun", lambda: ends_at(called, own))
    assert 3500 < (ends - datetime.now(UTC)).total_seconds() <= 3600
    made, _ = tasks(until=ends)
    names = kubelet(DONE)
    assert made.run(train(tmp_path))
    assert 3500 < plane.cluster.read(POD, space, names[0])["spec"]["activeDeadlineSeconds"] <= 3600


def test_what_an_earlier_pod_of_the_run_left_is_ended_first(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], called: PodApi, plane: Any, space: str
) -> None:
    tasks("flights-fghij")
    left = step_of("flights", plane.cluster.read(POD, space, "flights-fghij"), "flights-abcde-train-1")
    works = plane.cluster.create(run_pod(space, "shop-abcde", run="shop"))
    failed = plane.cluster.create(run_pod(space, "shop-fghij", run="shop"))
    plane.cluster.merge(POD, space, "shop-fghij", {"status": {"phase": "Failed"}}, status=True)
    for pod in (
        left,
        step_of("shop", works),
        step_of("shop", failed),
        step_of("shop", failed, "shop-fghij-done-1"),
    ):
        plane.cluster.create(pod)
    plane.cluster.merge(POD, space, "shop-fghij-done-1", {"status": DONE}, status=True)
    end_steps(called, run_pod(space))
    names = {pod["metadata"]["name"] for pod in plane.cluster.list(POD, space)}
    assert names == {"flights-fghij", "shop-abcde", "shop-fghij", "shop-abcde-train-1", "shop-fghij-done-1"}
    plane.cluster.create(left)
    rules = documented_rules("kubeflow-pipelines.md")
    rules[0]["verbs"].remove("delete")
    allow(plane.cluster, space, PIPELINES, rules)
    with pytest.raises(InputRefused, match="refuses to delete pod flights-abcde-train-1"):
        end_steps(called, run_pod(space))


def test_a_pod_knows_itself(called: PodApi, plane: Any, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_POD", "flights-abcde")
    with pytest.raises(InputRefused, match=r"the run's own pod as flights-abcde \(404\)"):
        own_pod(called)
    plane.cluster.create(run_pod(space))
    assert own_pod(called)["metadata"]["name"] == "flights-abcde"


@pytest.mark.parametrize(
    ("volume", "mounts", "because", "remedy"),
    [
        (None, (), "platform.yaml gives its steps no volume", "name the claim that holds .trimtab"),
        (Volume(claim="home", path="/data"), (("home", "/data"),), "home at /data is not where a run's Job keeps",
         "let it be mounted at /trimtab"),
        (Volume(claim="home"), (("other", "/trimtab"),), "is not mounted in the run's own pod", "mount it there"),
        (Volume(claim="home"), (), "is not mounted in the run's own pod", "volumeMounts, at /trimtab"),
        (Volume(claim="home"), (("home", "/trimtab", {"subPath": "churn"}),), "with subPath, its steps whole",
         "take subPath out of spec.pipeline.job.volumeMounts"),
        (Volume(claim="home"), (("home", "/trimtab", {"readOnly": True}),), "with readOnly", "take readOnly out"),
    ],
)  # fmt: skip
def test_the_runs_pod_and_its_steps_must_share_a_volume(
    volume: Volume | None, mounts: Mounts, because: str, remedy: str
) -> None:
    with pytest.raises(InputRefused, match=because) as refused:
        see_volume(run_pod("shop", mounts=mounts), "cluster", volume, Path("/trimtab"))
    assert remedy in str(refused.value.remedy)
    see_volume(
        run_pod("shop", mounts=(("home", "/trimtab"),)), "cluster", Volume(claim="home"), Path("/trimtab")
    )

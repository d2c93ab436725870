"""A step in a pod of its own: what is made, what becomes of it, and what stands in its way."""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.quotas import refuses
from tests.cluster.control_plane.runs.conftest import PIPELINES, allow
from tests.cluster.control_plane.runs.jobs import rights, state, terminated
from tests.cluster.control_plane.runs.step_pods.world import (
    DONE,
    EVENTS,
    EXECUTOR,
    QUOTA,
    bounded,
    run_pod,
    train,
)
from trimtab.adapters.jobs import POD
from trimtab.adapters.kfp.warm import PROGRESS, told_failure
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.step_pods import STEPS_OF, PodTasks, end_steps
from trimtab.api.errors import DataRefused, ExitStatus, InputRefused


def test_a_step_is_a_pod_after_the_runs_own(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], plane: Any, space: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRIMTAB_RUN", "0a-1b")
    monkeypatch.setenv("TRIMTAB_QUEUE", "team")
    made, events = tasks()
    names = kubelet(DONE)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "executor_output.json").write_text('{"parameterValues": {"run": "7"}}')
    assert made.run(train(tmp_path))
    pod = plane.cluster.read(POD, space, names[0])
    assert names == ["flights-abcde-train-1"]
    [owner] = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Pod", "flights-abcde")
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["securityContext"]) == (
        PIPELINES,
        {"runAsNonRoot": True},
    )
    [container] = pod["spec"]["containers"]
    assert (container["image"], container["command"]) == (EXECUTOR["image"], EXECUTOR["command"])
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables == {
        "KFP_POD_NAME": None,
        "TRIMTAB_RUN": "0a-1b",
        "TRIMTAB_QUEUE": "team",
        "TRIMTAB_TASK_LOG": str(tmp_path / "train.log"),
        "TRIMTAB_TASK_FAILURE": "/dev/termination-log",
    }
    assert [event["event"] for event in events] == ["task_started", "task_ended"]
    assert events[-1]["succeeded"]
    assert events[-1]["outputs"] == {"run": "7"}


def test_what_a_step_says_is_its_progress_and_what_it_refuses_is_not_tried_again(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], tmp_path: Path
) -> None:
    made, events = tasks()
    left = told_failure(DataRefused("column 'x' holds text", remedy="mend it"))
    look = made.pause
    names: list[list[str]] = []

    def speak(seconds: float) -> None:
        (tmp_path / f"train{PROGRESS}").write_text("epoch 1 of 2\nepo")
        made.pause = look
        names.append(kubelet(terminated(1, message=json.dumps(left))))
        look(seconds)

    made.pause = speak
    assert not made.run(train(tmp_path))
    assert names == [["flights-abcde-train-1"]]
    assert [event["line"] for event in events if event["event"] == "task_progress"] == ["epoch 1 of 2"]
    assert events[-1]["failure"] == {
        "type": "DataRefused", "sentence": "column 'x' holds text", "remedy": "mend it", "status": ExitStatus.INPUT,
    }  # fmt: skip


@pytest.mark.parametrize("first", [None, terminated(137, reason="OOMKilled")])
def test_a_pod_that_is_lost_is_made_anew_as_often_as_the_ir_says(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    kubelet: Callable[..., list[str]],
    tmp_path: Path,
    first: Mapping[str, Any] | None,
) -> None:
    waited: list[float] = []
    pause = bounded(short=True)
    made, events = tasks(pause=lambda seconds: (waited.append(seconds), pause(seconds))[1])
    names = kubelet(first, DONE)
    assert made.run(train(tmp_path))
    assert names == ["flights-abcde-train-1", "flights-abcde-train-2"]
    assert waited.count(30.0) == 1
    [said] = (event["line"] for event in events if event["event"] == "task_progress")
    because = (
        "its pod flights-abcde-train-1 was deleted" if first is None else "it ran out of memory (OOMKilled)"
    )
    assert said == f"it is tried again in 30 s: {because}"


def test_what_has_no_memory_is_told_with_its_setting(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], tmp_path: Path
) -> None:
    made, events = tasks(pause=bounded(short=True))
    kubelet(*[terminated(137, reason="OOMKilled")] * 2)
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert failure["sentence"] == "it ran out of memory (OOMKilled)"
    assert failure["remedy"] == "raise training.resources.memory of trimtab.yaml, or shorten training.window"


def test_an_image_that_cannot_be_pulled_ends_the_step_and_its_pod(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    kubelet: Callable[..., list[str]],
    plane: Any,
    space: str,
    tmp_path: Path,
) -> None:
    made, events = tasks(stuck_s=0.3)
    waiting = state(waiting={"reason": "ErrImagePull", "message": "ml:1 is not there"})
    names = kubelet({"phase": "Pending", "containerStatuses": [waiting]})
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert failure["sentence"] == "its container cannot start (ErrImagePull: ml:1 is not there)"
    assert failure["remedy"] == "see environment.image of trimtab.yaml, its registry, and imagePullSecrets"
    assert failure["status"] == ExitStatus.INPUT
    gone = plane.cluster.read(POD, space, names[0])
    assert gone is None or gone["metadata"].get("deletionTimestamp")


def test_a_quota_without_room_is_waited_for(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    kubelet: Callable[..., list[str]],
    plane: Any,
    space: str,
    tmp_path: Path,
) -> None:
    from tests.cluster.kube.poll import eventually

    made, events = tasks()
    meta = {"name": "small", "namespace": space}
    plane.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": meta,
            "spec": {"hard": {"requests.cpu": "500m"}},
        }
    )
    probe = run_pod(space, "probe")
    probe["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}

    eventually("the quota is enforced", lambda: refuses(plane.cluster, space, probe))
    kubelet(DONE)
    done: list[bool] = []
    run = threading.Thread(target=lambda: done.append(made.run(train(tmp_path))))
    run.start()
    eventually("it says what it waits for", lambda: [e for e in events if "line" in e])
    plane.cluster.delete(QUOTA, space, "small")
    run.join(30)
    assert done == [True]
    lines = [event["line"] for event in events if "line" in event]
    assert len(lines) == 1
    assert "exceeded quota: small" in lines[0]
    assert "lower training.resources of trimtab.yaml" in lines[0]


def test_a_quota_that_many_count_at_once_is_asked_again(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    kubelet: Callable[..., list[str]],
    called: PodApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conflict = (409, {"reason": "Conflict", "message": "Operation cannot be fulfilled on resourcequotas"})
    call, answers = called.call, [conflict]

    def first(method: str, path: str, obj: object = None) -> tuple[int, dict[str, Any]]:
        return answers.pop() if method == "POST" and answers else call(method, path, obj)

    monkeypatch.setattr(called, "call", first)
    made, events = tasks()
    names = kubelet(DONE)
    assert made.run(train(tmp_path))
    assert not answers
    assert names == ["flights-abcde-train-1"]
    assert [event["event"] for event in events] == ["task_started", "task_ended"]


def test_a_pod_of_an_answer_that_was_lost_is_the_steps_own(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    kubelet: Callable[..., list[str]],
    plane: Any,
    space: str,
    tmp_path: Path,
) -> None:
    made, _ = tasks()
    there = run_pod(space, "flights-abcde-train-1")
    there["metadata"]["labels"] = {STEPS_OF: "flights"}
    plane.cluster.create(there)
    names = kubelet(DONE)
    assert made.run(train(tmp_path))
    assert names == ["flights-abcde-train-1"]


def test_a_step_outlives_an_api_server_that_is_away(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], away: threading.Event, plane: Any,
    space: str, tmp_path: Path,
) -> None:  # fmt: skip
    from tests.cluster.kube.poll import eventually

    made, events = tasks(silent_s=0.3)
    names = kubelet({"phase": "Running", "containerStatuses": [state(running={})]})
    done: list[bool] = []
    run = threading.Thread(target=lambda: done.append(made.run(train(tmp_path))), daemon=True)
    run.start()
    eventually("it runs", lambda: names)
    away.set()
    said = eventually("it is told of", lambda: [event["line"] for event in events if "line" in event])
    assert said[0] == "the API server has not said for 0 s how pod flights-abcde-train-1 does"
    away.clear()
    plane.cluster.merge(POD, space, names[0], {"status": DONE}, status=True)
    run.join(30)
    assert done == [True]
    assert [pod["metadata"]["name"] for pod in plane.cluster.list(POD, space, {STEPS_OF: "flights"})] == names


def test_no_second_pod_is_made_where_the_first_may_have_been(
    tasks: Callable[..., tuple[PodTasks, EVENTS]],
    away: threading.Event,
    plane: Any,
    space: str,
    tmp_path: Path,
) -> None:
    made, events = tasks(silent_s=0.3)
    away.set()
    assert not made.run(train(tmp_path))
    assert events[-1]["failure"]["type"] == "Unended"
    assert (
        events[-1]["failure"]["sentence"] == "pod flights-abcde-train-1 may still work, and cannot be ended"
    )
    assert [event["event"] for event in events] == ["task_started", "task_ended"]


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": [{"type": "Ready", "status": "True"}], "gone": True},
    ],
)
def test_a_node_that_does_not_answer_is_told_of(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], plane: Any, space: str,
    tmp_path: Path, status: dict[str, Any],
) -> None:  # fmt: skip
    from tests.cluster.kube.poll import eventually

    made, events = tasks(slow_s=0.0)
    gone = status.pop("gone", False)
    works = {"phase": "Running", "containerStatuses": [state(running={})], **status}
    names = kubelet(works)
    run = threading.Thread(target=made.run, args=[train(tmp_path)], daemon=True)
    run.start()
    eventually("it runs", lambda: names)
    if gone:
        path = f"/api/v1/namespaces/{space}/pods/{names[0]}"
        held = {"metadata": {"finalizers": ["trimtab.dev/held"]}}
        plane.cluster.merge(POD, space, names[0], held)
        plane.cluster.call("DELETE", path, {"gracePeriodSeconds": 1})
    said = eventually("it is told of", lambda: [event["line"] for event in events if "line" in event])
    assert said[0].startswith("its node does not answer; if its node is gone for good, delete the node")
    plane.cluster.merge(POD, space, names[0], {"status": DONE}, status=True)
    run.join(30)
    plane.cluster.merge(POD, space, names[0], {"metadata": {"finalizers": None}})
    assert not run.is_alive()
    assert events[-1]["succeeded"]


def test_a_pod_that_a_kubelet_refuses_is_told_in_its_words(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], tmp_path: Path
) -> None:
    made, events = tasks(pause=bounded(short=True))
    kubelet(*[{"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no GPU is healthy"}] * 2)
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert failure["sentence"] == "its pod failed (UnexpectedAdmissionError: no GPU is healthy)"
    assert failure["remedy"] == "kubectl describe pod flights-abcde-train-2"


def test_what_a_step_waited_for_in_vain_is_told_before_its_job_ends(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], tmp_path: Path
) -> None:
    made, events = tasks(until=datetime.now(UTC) + timedelta(seconds=60))
    said = "0/1 nodes are available: 1 Insufficient trimtab.dev/accelerator."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    kubelet({"phase": "Pending", "conditions": [condition]})
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert failure["sentence"] == f"no node takes its pod ({said})"
    assert failure["remedy"] == "lower training.resources of trimtab.yaml, or add a node"
    assert failure["status"] == ExitStatus.INPUT


def test_an_account_that_may_not_is_told_what_to_let_it(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], called: PodApi, plane: Any, space: str, tmp_path: Path
) -> None:
    made, events = tasks()
    allow(plane.cluster, space, PIPELINES, rights())
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert 'cannot create resource "pods"' in failure["sentence"]
    assert (
        failure["remedy"]
        == "let the run's service account get, list, create and delete pods, and get pods/log"
    )
    with pytest.raises(InputRefused, match="refuses to list the run's steps"):
        end_steps(called, made.own)

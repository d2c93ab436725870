"""Steps in pods of their own, before a real API server: what is made, and what stands in its way; pods' words are a
kubelet's."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow, mounted
from tests.cluster.control_plane.runs.jobs import KEY, PIPELINE, UNTIL, rights, state, terminated
from tests.cluster.documented_rules import documented_rules
from trimtab.adapters.jobs import POD, JobRuns
from trimtab.adapters.jobs.job import RUN_LABEL
from trimtab.adapters.kfp.warm import PROGRESS, Task, told_failure
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.step_pods import STEPS_OF, Ir, PodTasks, end_steps, ends_at, own_pod, see_volume
from trimtab.api.errors import DataRefused, ExitStatus, InputRefused
from trimtab.api.platform import Volume
from trimtab.ports.cluster import Kind, Refused

QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
RULES = [*rights(), *documented_rules("kubeflow-pipelines.md")]
SMALL = {
    "resourceCpuLimit": "1",
    "resourceMemoryLimit": "1Gi",
    "resourceCpuRequest": "1",
    "resourceMemoryRequest": "1Gi",
}
EXECUTOR = {
    "image": "ml:1",
    "command": ["sh", "-ec", "run"],
    "args": ["--executor_input", "{{$}}"],
    "resources": SMALL,
}
RETRY = {"maxRetryCount": 1, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "300s"}
DONE = terminated(0)
EVENTS = list[Mapping[str, Any]]
Mounts = tuple[tuple[Any, ...], ...]


@pytest.fixture
def ir(tmp_path: Path) -> Ir:
    import yaml

    root = {"dag": {"tasks": {"train": {"componentRef": {"name": "comp-train"}, "retryPolicy": RETRY}}}}
    spec = {
        "root": root,
        "components": {"comp-train": {"executorLabel": "exec-train"}},
        "deploymentSpec": {"executors": {"exec-train": {"container": EXECUTOR}}},
    }
    file = tmp_path / "ir.yaml"
    file.write_text(yaml.safe_dump(spec))
    return Ir.read(file)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right that is missing is missed at once."""
    monkeypatch.setattr("trimtab.adapters.step_pods.own.RIGHT_S", 0.5)


@pytest.fixture
def away() -> threading.Event:
    """While it is set, no call comes through to the API server."""
    return threading.Event()


@pytest.fixture
def called(plane: Any, space: str, tmp_path: Path, away: threading.Event) -> PodApi:
    """The API server, as the pod of a run calls it."""

    class Parted(PodApi):
        def _once(self, *call: Any) -> tuple[int, bytes]:
            if away.is_set():
                raise ConnectionRefusedError
            return super()._once(*call)

    allow(plane.cluster, space, PIPELINES, RULES)
    account = mounted(plane, space, PIPELINES, tmp_path / "account")
    (account / "namespace").write_text(space)
    return Parted(plane.url, account, pauses_s=[0.05])


@pytest.fixture
def tasks(
    plane: Any, space: str, called: PodApi, ir: Ir, tmp_path: Path
) -> Callable[..., tuple[PodTasks, EVENTS]]:
    def made(own: str = "flights-abcde", **more: Any) -> tuple[PodTasks, EVENTS]:
        events: EVENTS = []
        pod = plane.cluster.create(run_pod(space, own))
        more = {"pause": bounded(), "look_s": 0.05, **more}
        return PodTasks(called, ir, pod, tmp_path, events.append, **more), events

    return made


@pytest.fixture
def kubelet(plane: Any, space: str) -> Iterator[Callable[..., list[str]]]:
    """Gives each step's pod, as it comes, the next of these statuses, or has it deleted for None."""
    over, threads = threading.Event(), list[threading.Thread]()

    def play(*statuses: Mapping[str, Any] | None) -> list[str]:
        seen: list[str] = []

        def work() -> None:
            while not over.wait(0.05) and len(seen) < len(statuses):
                for pod in plane.cluster.list(POD, space, {STEPS_OF: "flights"}):
                    name = str(pod["metadata"]["name"])
                    if name in seen or len(seen) == len(statuses):
                        continue
                    if (status := statuses[len(seen)]) is None:
                        plane.cluster.call(
                            "DELETE", f"/api/v1/namespaces/{space}/pods/{name}", {"gracePeriodSeconds": 0}
                        )
                    else:
                        plane.cluster.merge(POD, space, name, {"status": dict(status)}, status=True)
                    seen.append(name)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return seen

    yield play
    over.set()
    for thread in threads:
        thread.join()


def bounded(short: bool = False) -> Callable[[float], None]:
    """Pauses, a minute of them at most in all; short ones in place of long ones."""
    until = time.monotonic() + 60.0

    def pause(seconds: float) -> None:
        assert time.monotonic() < until, "a step does not end"
        time.sleep(min(seconds, 0.05) if short else seconds)

    return pause


def refused(api: PodApi, method: str, pod: str) -> None:
    """Wait until the API server knows that this is no right any more."""
    from tests.cluster.kube.poll import eventually

    path = f"/api/v1/namespaces/{api.namespace}/pods/{pod}".rstrip("/")
    eventually("the right is gone", lambda: api.call(method, path)[0] == 403, 30)


def step_of(job: str, own: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """A step's pod after the run's."""
    meta = own["metadata"]
    step = run_pod(meta["namespace"], name or f"{meta['name']}-train-1")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    step["metadata"] |= {"labels": {STEPS_OF: job}, "ownerReferences": [owner]}
    return step


def run_pod(
    space: str, name: str = "flights-abcde", mounts: Mounts = (), run: str = "flights"
) -> dict[str, Any]:
    """The pod of a run's Job."""
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim, *_ in mounts]
    mounted_at = [{"name": claim, "mountPath": path, **dict(*more)} for claim, path, *more in mounts]
    spec = {
        "containers": [{"name": "run", "image": "ml:1", "volumeMounts": mounted_at}],
        "volumes": volumes,
        "serviceAccountName": PIPELINES,
        "securityContext": {"runAsNonRoot": True},
    }
    meta = {"name": name, "namespace": space, "labels": {"trimtab.dev/run": run}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def train(folder: Path) -> Task:
    given = {"outputs": {"outputFile": str(folder / "train" / "executor_output.json")}}
    command = ("sh", "-ec", "run", "--executor_input", json.dumps(given))
    return Task("train", "", json.dumps(given), {}, command)


def test_a_step_is_a_pod_after_the_runs_own(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], plane: Any, space: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRIMTAB_RUN", "0a-1b")
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
    look = made.pause

    def speak(seconds: float) -> None:
        (tmp_path / f"train{PROGRESS}").write_text("epoch 1 of 2\nepo")
        look(seconds)

    made.pause = speak
    left = told_failure(DataRefused("column 'x' holds text", remedy="mend it"))
    names = kubelet(terminated(1, message=json.dumps(left)))
    assert not made.run(train(tmp_path))
    assert names == ["flights-abcde-train-1"]
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

    def counted() -> bool:
        try:
            plane.cluster.call("POST", f"/api/v1/namespaces/{space}/pods?dryRun=All", probe)
        except Refused:
            return True
        return False

    eventually("the quota is counted", counted, 30)
    kubelet(DONE)
    done: list[bool] = []
    run = threading.Thread(target=lambda: done.append(made.run(train(tmp_path))))
    run.start()
    eventually("it says what it waits for", lambda: [e for e in events if "line" in e], 30)
    plane.cluster.delete(QUOTA, space, "small")
    run.join(30)
    assert done == [True]
    lines = [event["line"] for event in events if "line" in event]
    assert len(lines) == 1
    assert "exceeded quota: small" in lines[0]
    assert "lower training.resources of trimtab.yaml" in lines[0]


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
    eventually("it runs", lambda: names, 30)
    away.set()
    said = eventually("it is told of", lambda: [event["line"] for event in events if "line" in event], 30)
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
    eventually("it runs", lambda: names, 30)
    if gone:
        path = f"/api/v1/namespaces/{space}/pods/{names[0]}"
        held = {"metadata": {"finalizers": ["trimtab.dev/held"]}}
        plane.cluster.merge(POD, space, names[0], held)
        plane.cluster.call("DELETE", path, {"gracePeriodSeconds": 1})
    said = eventually("it is told of", lambda: [event["line"] for event in events if "line" in event], 30)
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


def test_a_step_ends_when_its_job_must(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], kubelet: Callable[..., list[str]], runs: Callable[..., JobRuns],
    called: PodApi, plane: Any, space: str, tmp_path: Path,
) -> None:  # fmt: skip
    from tests.cluster.kube.poll import eventually

    assert ends_at(called, run_pod(space)) is None
    declared = {**PIPELINE, "job": {**PIPELINE["job"], "deadline": "1h"}}
    own = run_pod(space)
    own["metadata"]["labels"] = {RUN_LABEL: runs(declared).start(KEY, UNTIL).id}
    ends = eventually("the Job has begun", lambda: ends_at(called, own), 30)
    assert 3500 < (ends - datetime.now(UTC)).total_seconds() <= 3600
    made, _ = tasks(until=ends)
    names = kubelet(DONE)
    assert made.run(train(tmp_path))
    assert 3500 < plane.cluster.read(POD, space, names[0])["spec"]["activeDeadlineSeconds"] <= 3600


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
    refused(called, "DELETE", "nobody")
    with pytest.raises(InputRefused, match="refuses to delete pod flights-abcde-train-1"):
        end_steps(called, run_pod(space))


def test_an_account_that_may_not_is_told_what_to_let_it(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], called: PodApi, plane: Any, space: str, tmp_path: Path
) -> None:
    made, events = tasks()
    allow(plane.cluster, space, PIPELINES, rights())
    refused(called, "GET", "")
    assert not made.run(train(tmp_path))
    failure = events[-1]["failure"]
    assert 'cannot create resource "pods"' in failure["sentence"]
    assert (
        failure["remedy"]
        == "let the run's service account get, list, create and delete pods, and get pods/log"
    )
    with pytest.raises(InputRefused, match="refuses to list the run's steps"):
        end_steps(called, made.own)


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

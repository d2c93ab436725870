"""Steps in pods of their own, before a real API server: what is made, and what stands in its way; pods' words are a
kubelet's."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow, mounted
from tests.cluster.control_plane.runs.jobs import rights, state, terminated
from tests.cluster.documented_rules import documented_rules
from trimtab.adapters.jobs import POD
from trimtab.adapters.kfp.warm import FAILURE, PROGRESS, Task, leave_failure
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.step_pods import STEPS_OF, Ir, PodTasks, own_pod, see_volume
from trimtab.api.errors import DataRefused, ExitStatus, InputRefused
from trimtab.api.platform import Volume
from trimtab.ports.cluster import Kind

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


@pytest.fixture
def called(plane: Any, space: str, tmp_path: Path) -> PodApi:
    """The API server, as the pod of a run calls it."""
    allow(plane.cluster, space, PIPELINES, RULES)
    account = mounted(plane, space, PIPELINES, tmp_path / "account")
    (account / "namespace").write_text(space)
    return PodApi(plane.url, account)


@pytest.fixture
def tasks(
    plane: Any, space: str, called: PodApi, ir: Ir, tmp_path: Path
) -> Callable[..., tuple[PodTasks, EVENTS]]:
    def made(own: str = "flights-abcde", **more: Any) -> tuple[PodTasks, EVENTS]:
        events: EVENTS = []
        pod = plane.cluster.create(run_pod(space, own))
        more = {"pause": threading.Event().wait, "look_s": 0.05, **more}
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


def run_pod(
    space: str, name: str = "flights-abcde", mounts: tuple[tuple[str, str], ...] = ()
) -> dict[str, Any]:
    """The pod of a run's Job."""
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim, _ in mounts]
    mounted_at = [{"name": claim, "mountPath": path} for claim, path in mounts]
    spec = {
        "containers": [{"name": "run", "image": "ml:1", "volumeMounts": mounted_at}],
        "volumes": volumes,
        "serviceAccountName": PIPELINES,
        "securityContext": {"runAsNonRoot": True},
    }
    meta = {"name": name, "namespace": space, "labels": {"trimtab.dev/run": "flights"}}
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
        leave_failure(tmp_path / f"train{FAILURE}", DataRefused("column 'x' holds text", remedy="mend it"))
        look(seconds)

    made.pause = speak
    names = kubelet(terminated(1))
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
    made, events = tasks(pause=lambda s: (waited.append(s), threading.Event().wait(min(s, 0.05)))[0])
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
    made, events = tasks(pause=lambda s: threading.Event().wait(min(s, 0.05)))
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
    eventually(
        "the quota is counted",
        lambda: plane.cluster.read(QUOTA, space, "small").get("status", {}).get("used"),
        30,
    )
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


def test_what_an_earlier_pod_of_the_run_left_is_ended_first(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], plane: Any, space: str
) -> None:
    made, _ = tasks("flights-fghij")
    left = run_pod(space, "flights-abcde-train-1")
    left["metadata"]["labels"] = {STEPS_OF: "flights"}
    other = run_pod(space, "shop-abcde-train-1")
    other["metadata"]["labels"] = {STEPS_OF: "shop"}
    for pod in (left, other):
        plane.cluster.create(pod)
    made.clear()
    names = {pod["metadata"]["name"] for pod in plane.cluster.list(POD, space)}
    assert names == {"flights-fghij", "shop-abcde-train-1"}


def test_an_account_that_may_not_is_told_what_to_let_it(
    tasks: Callable[..., tuple[PodTasks, EVENTS]], plane: Any, space: str, tmp_path: Path
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
    with pytest.raises(InputRefused, match="refuses to read the run's steps"):
        made.clear()


def test_a_pod_knows_itself(called: PodApi, plane: Any, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_POD", "flights-abcde")
    with pytest.raises(InputRefused, match="the run's own pod as flights-abcde"):
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
    ],
)  # fmt: skip
def test_the_runs_pod_and_its_steps_must_share_a_volume(
    volume: Volume | None, mounts: tuple[tuple[str, str], ...], because: str, remedy: str
) -> None:
    with pytest.raises(InputRefused, match=because) as refused:
        see_volume(run_pod("shop", mounts=mounts), "cluster", volume, Path("/trimtab"))
    assert remedy in str(refused.value.remedy)
    see_volume(
        run_pod("shop", mounts=(("home", "/trimtab"),)), "cluster", Volume(claim="home"), Path("/trimtab")
    )

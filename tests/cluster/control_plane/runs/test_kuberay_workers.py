"""A pod that asks for workers, before a real API server: what it may do there, and what stands in its way."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow, mounted
from tests.cluster.documented_rules import documented_rules
from trimtab.adapters.kuberay import KubeRayWorkers
from trimtab.adapters.kuberay.callbacks import BEGAN, Remote
from trimtab.adapters.kuberay.ray_job import RAY_JOB, Wanted, ray_job
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.cluster import Kind, Refused

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

POD = Kind("", "v1", "Pod", "pods")
Say = Callable[[str], None]
Run = Callable[[], Any]


@pytest.fixture(scope="module")
def plane() -> "Iterator[ControlPlane]":
    """One of its own: here KubeRay's kinds are installed."""
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import kuberay_crds
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane(audit=False) as running:
        install(running.cluster, kuberay_crds())
        yield running


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def asking(tmp_path: Path, said: list[str]) -> Callable[..., Run]:
    """A pod of a namespace that asks for two workers; its service account may do what `rules` say."""

    def made(
        plane: Any, namespace: str, rules: list[dict[str, Any]], begin_s: float = 5.0, say: Say = said.append
    ) -> Run:
        allow(plane.cluster, namespace, PIPELINES, rules)
        account = mounted(plane, namespace, PIPELINES, tmp_path / "account")
        (account / "namespace").write_text(namespace)
        plane.cluster.create(training_pod(namespace, tmp_path))
        workers = KubeRayWorkers(tmp_path / "home", begin_s, PodApi(plane.url, account), "training")
        return lambda: workers.run(len, 2, 1, "cpu", say, say)

    return made


def training_pod(namespace: str, home: Path) -> dict[str, Any]:
    volume = {"name": "home", "hostPath": {"path": str(home)}}
    mount = {"name": "home", "mountPath": str(home)}
    container = {"name": "run", "image": "x", "volumeMounts": [mount]}
    spec = {"containers": [container], "volumes": [volume], "serviceAccountName": PIPELINES}
    meta = {"name": "training", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@contextmanager
def played(cluster: "Direct", namespace: str, status: Mapping[str, Any]) -> Iterator[None]:
    """KubeRay's operator, as far as it says this of each RayJob."""
    over = threading.Event()

    def play() -> None:
        while not over.wait(0.2):
            for held in cluster.list(RAY_JOB, namespace):
                if held.get("status") != status:
                    with suppress(Refused):  # it was deleted meanwhile
                        cluster.write_status({**held, "status": status})

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def left(cluster: "Direct", namespace: str) -> list[str]:
    return [one["metadata"]["name"] for one in cluster.list(RAY_JOB, namespace)]


@pytest.fixture
def space(plane: "ControlPlane") -> str:
    name = f"team-{next(NUMBERS)}"
    plane.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


NUMBERS = iter(range(1000))


def test_with_the_documented_rights_it_makes_waits_and_leaves_nothing(
    plane: "ControlPlane", space: str, asking: Callable[..., Run], said: list[str]
) -> None:
    failing = "exceeded quota: small, requested: cpu=2"
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreateHeadPod",
        "message": failing,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }

    def told(line: str) -> None:
        """KubeRay tells of its pods before they are looked at the first time."""
        if not said:
            (held,) = plane.cluster.list(RAY_JOB, space)
            status = {"rayClusterStatus": {"conditions": [condition]}}
            plane.cluster.write_status({**held, "status": status})
        said.append(line)

    with pytest.raises(SurroundingsFailed) as ended:
        asking(plane, space, documented_rules(), say=told)()
    assert "training.workers: 2 (where: kuberay)" in ended.value.message
    assert "raise the namespace's ResourceQuota" in ended.value.message
    assert "2 workers start in pods of RayJob trimtab-ray-" in said[0]
    assert "exceeded quota" in said[1]
    assert left(plane.cluster, space) == []


def test_the_time_in_which_kueue_holds_it_back_does_not_count(
    plane: "ControlPlane", space: str, asking: Callable[..., Run], said: list[str]
) -> None:
    ended: list[Exception] = []

    def suspended(line: str) -> None:
        """Kueue holds the job back before its pods are looked at the first time."""
        if not said:
            (held,) = plane.cluster.list(RAY_JOB, space)
            plane.cluster.merge(RAY_JOB, space, held["metadata"]["name"], {"spec": {"suspend": True}})
        said.append(line)

    run = asking(plane, space, documented_rules(), begin_s=3.0, say=suspended)

    def ends() -> None:
        try:
            run()
        except SurroundingsFailed as error:
            ended.append(error)

    thread = threading.Thread(target=ends)
    thread.start()
    wait_for(lambda: [one for one in said if "waits to be admitted" in one])
    thread.join(8.0)
    assert thread.is_alive()
    (held,) = plane.cluster.list(RAY_JOB, space)
    plane.cluster.merge(RAY_JOB, space, held["metadata"]["name"], {"spec": {"suspend": False}})
    thread.join(60.0)
    assert not thread.is_alive()
    assert "is not ready after" in str(ended[0])


def wait_for(found: Callable[[], Any]) -> Any:
    from tests.cluster.kube.poll import eventually

    return eventually("it is there", found, 120.0)


def test_without_rights_it_says_which(plane: "ControlPlane", space: str, asking: Callable[..., Run]) -> None:
    pods = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    with pytest.raises(InputRefused, match="refuses to create RayJob") as refused:
        asking(plane, space, pods)()
    assert "create, get and delete rayjobs.ray.io" in str(refused.value)


def test_without_kuberay_it_says_what_to_install(
    control_plane: "ControlPlane", namespace: str, asking: Callable[..., Run]
) -> None:
    run = asking(control_plane, namespace, documented_rules())
    with pytest.raises(SurroundingsFailed, match="knows no RayJob") as failed:
        run()
    assert "training.where: here" in str(failed.value)


@pytest.fixture
def older(plane: "ControlPlane") -> Iterator[None]:
    """KubeRay's kinds as they were before it knew of tokens."""
    name = "rayjobs.ray.io"
    crd = plane.cluster.call("GET", f"{CRDS}/{name}")
    old = json.loads(json.dumps(crd))
    for version in old["spec"]["versions"]:
        held = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["rayClusterSpec"]
        held["properties"].pop("authOptions", None)
    plane.cluster.call("PUT", f"{CRDS}/{name}", old)
    wait_for(lambda: not knows_tokens(plane))
    yield
    now = plane.cluster.call("GET", f"{CRDS}/{name}")
    plane.cluster.call("PUT", f"{CRDS}/{name}", {**now, "spec": crd["spec"]})
    wait_for(lambda: knows_tokens(plane))


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def knows_tokens(plane: "ControlPlane") -> bool:
    own = {
        **training_pod("default", Path("/trimtab")),
        "metadata": {"name": "x", "namespace": "default", "uid": "0"},
    }
    job = ray_job(own, Wanted(1, 1, False, Path("/trimtab/x"), "2.60.0"))
    del job["metadata"]["ownerReferences"]
    made = plane.cluster.call("POST", "/apis/ray.io/v1/namespaces/default/rayjobs?dryRun=All", job)
    return "authOptions" in made["spec"]["rayClusterSpec"]


def test_a_kuberay_that_knows_no_tokens_is_refused_and_nothing_is_left_open(
    plane: "ControlPlane", space: str, asking: Callable[..., Run], older: None
) -> None:
    run = asking(plane, space, documented_rules())
    with pytest.raises(SurroundingsFailed, match="knows no token for Ray") as refused:
        run()
    assert "1.5.1 or later" in str(refused.value)
    assert left(plane.cluster, space) == []


def test_outside_a_cluster_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputRefused, match="this is no pod of a cluster") as refused:
        KubeRayWorkers(tmp_path).run(len, 2, 1, "cpu", print, print)
    assert "training.where: here" in str(refused.value)


def test_a_job_that_kuberay_refuses_is_told_at_once(
    plane: "ControlPlane", space: str, asking: Callable[..., Run]
) -> None:
    run = asking(plane, space, documented_rules(), begin_s=60.0)
    status = {
        "jobDeploymentStatus": "ValidationFailed",
        "reason": "ValidationFailed",
        "message": "authOptions.mode is 'token' but minimum Ray version is 2.52.0",
    }
    with (
        played(plane.cluster, space, status),
        pytest.raises(SurroundingsFailed, match=r"has ended: ValidationFailed: authOptions.mode is 'token'"),
    ):
        run()
    assert left(plane.cluster, space) == []


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({}, "its driver has not begun within 10 s"),
        (
            {
                "jobDeploymentStatus": "Failed",
                "jobStatus": "FAILED",
                "reason": "AppFailed",
                "message": "exit code 1",
            },
            "has ended without a word of its driver (AppFailed: exit code 1)",
        ),
    ],
)
def test_pods_without_a_driver_are_told(
    plane: "ControlPlane", space: str, asking: Callable[..., Run], status: dict[str, Any], sentence: str
) -> None:
    run = asking(plane, space, documented_rules(), begin_s=60.0 if status else 10.0)
    for name, kind in (("h", "head"), ("w1", "worker"), ("w2", "worker")):
        ray_pod(plane.cluster, space, name, kind)
    status = {"rayClusterName": CLUSTER, "jobDeploymentStatus": "Running", **status}
    with ThreadPoolExecutor() as threads, played(plane.cluster, space, status):
        failed = threads.submit(run).exception(120.0)
    assert isinstance(failed, SurroundingsFailed)
    assert sentence in failed.message
    assert left(plane.cluster, space) == []


def test_a_second_driver_ends_it_whoever_made_kuberay_submit_it_anew(
    plane: "ControlPlane", space: str, asking: Callable[..., Run], tmp_path: Path
) -> None:
    run = asking(plane, space, documented_rules(), begin_s=60.0)
    for name, kind in (("h", "head"), ("w1", "worker"), ("w2", "worker")):
        ray_pod(plane.cluster, space, name, kind)
    running = {"rayClusterName": CLUSTER, "jobDeploymentStatus": "Running"}
    with ThreadPoolExecutor() as threads, played(plane.cluster, space, running):
        waits = threads.submit(run)
        [calls] = wait_for(lambda: [*(tmp_path / "home").glob("*/calls")])
        for _ in range(2):
            Remote(calls.parent).tell(BEGAN)
        failed = waits.exception(120.0)
    assert isinstance(failed, SurroundingsFailed)
    assert "KubeRay has submitted it anew" in failed.message
    assert left(plane.cluster, space) == []


CLUSTER = "of-the-job"


def ray_pod(cluster: "Direct", namespace: str, name: str, kind: str) -> None:
    """One that is ready."""
    labels = {"ray.io/cluster": CLUSTER, "ray.io/node-type": kind}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"serviceAccountName": PIPELINES, "containers": [{"name": "x", "image": "x"}]},
        }
    )
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.merge(POD, namespace, name, {"status": ready}, status=True)

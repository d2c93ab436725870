"""A RayJob is made after the pod that asks for it."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.kuberay.pods import training_pod
from trimtab.adapters.kuberay.ray_job import (
    GPU,
    Wanted,
    metadata,
    name_of,
    ray_job,
    wants_gpus,
)
from trimtab.api.errors import InputRefused

ROOM = Path("/trimtab/.trimtab/tmp/a run's")
WANTED = Wanted(workers=3, cpus=2, gpus=False, room=ROOM, ray="2.60.0")


@pytest.fixture
def made() -> dict[str, Any]:
    return ray_job(training_pod(), WANTED)


def templates(made: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    cluster = made["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"]["template"]["spec"], group["template"]["spec"]


def test_each_worker_is_as_the_pod_that_asks(made: dict[str, Any]) -> None:
    own = training_pod()["spec"]
    _, worker = templates(made)
    (container,), (asked,) = worker["containers"], own["containers"]
    for name in ("image", "imagePullPolicy", "envFrom", "resources", "securityContext"):
        assert container[name] == asked[name]
    for name in ("nodeSelector", "tolerations", "imagePullSecrets", "securityContext"):
        assert worker[name] == own[name]
    assert asked["env"][0] in container["env"]
    assert "command" not in container
    assert {"name": "home", "mountPath": "/trimtab"} in container["volumeMounts"]
    assert own["volumes"][0] in worker["volumes"]


def test_as_many_as_asked_for_and_a_head_that_takes_no_work(made: dict[str, Any]) -> None:
    (group,) = made["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert {group[name] for name in ("replicas", "minReplicas", "maxReplicas")} == {3}
    assert group["rayStartParams"]["num-cpus"] == "2"
    head = made["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]
    assert (head["num-cpus"], head["num-gpus"]) == ("0", "0")


def test_the_service_account_is_known_beside_the_head_alone() -> None:
    own = training_pod()
    cloud = {"name": "cloud", "projected": {"sources": [{"serviceAccountToken": {"audience": "storage"}}]}}
    own["spec"]["volumes"].append(cloud)
    own["spec"]["containers"][0]["volumeMounts"].append({"name": "cloud", "mountPath": "/var/run/cloud"})
    head, worker = templates(ray_job(own, WANTED))
    for spec in (head, worker):
        assert spec["automountServiceAccountToken"] is False
    ray, watch = head["containers"]
    assert (ray["name"], watch["name"]) == ("ray-head", "watch")
    for one in (ray, *worker["containers"]):
        assert [mount["name"] for mount in one["volumeMounts"]] == ["home", "ray-tmp"]
    assert [one["name"] for one in worker["volumes"]] == ["home", "ray-tmp"]
    assert "serviceAccountName" not in worker
    assert watch["volumeMounts"][-1]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_each_variable_is_named_once_and_no_other_ray_is_meant() -> None:
    own = training_pod()
    own["spec"]["containers"][0]["env"] += [
        {"name": "HOME", "value": "/elsewhere"},
        {"name": "RAY_USAGE_STATS_ENABLED", "value": "1"},
        {"name": "RAY_ADDRESS", "value": "other:6379"},
    ]
    _, worker = templates(ray_job(own, WANTED))
    env = {one["name"]: one.get("value") for one in worker["containers"][0]["env"]}
    assert len(env) == len(worker["containers"][0]["env"])
    assert env["HOME"] == "/elsewhere"
    assert env["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "RAY_ADDRESS" not in env


def test_a_tmp_that_is_shared_stays_each_nodes_own() -> None:
    own = training_pod()
    own["spec"]["containers"][0]["volumeMounts"].append(
        {"name": "home", "mountPath": "/tmp", "subPath": "tmp"}
    )
    _, worker = templates(ray_job(own, WANTED))
    (mount,) = [one for one in worker["containers"][0]["volumeMounts"] if one["mountPath"] == "/tmp"]
    assert mount["name"] == "ray-tmp"


def test_a_mount_that_each_pod_has_for_itself_is_refused() -> None:
    own = training_pod()
    own["spec"]["containers"][0]["volumeMounts"][0]["subPathExpr"] = "$(POD_NAME)"
    with pytest.raises(InputRefused, match="lies in this pod alone"):
        ray_job(own, WANTED)


def test_the_operator_submits_it_once_to_who_has_its_token(made: dict[str, Any]) -> None:
    spec = made["spec"]
    assert spec["submissionMode"] == "HTTPMode"
    assert spec["backoffLimit"] == 0, "a second driver would find the first one's work"
    assert spec["shutdownAfterJobFinishes"], "Kueue asks for it"
    assert shlex.split(spec["entrypoint"])[1:] == ["-m", "trimtab.adapters.kuberay.driver", str(ROOM)]
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_no_other_ray_or_token_is_meant_and_none_at_all_is_refused_by_ray_itself() -> None:
    own = training_pod()
    others = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "other", "REDIS_USERNAME": "features"}
    own["spec"]["containers"][0]["env"] += [{"name": name, "value": value} for name, value in others.items()]
    for spec in templates(ray_job(own, WANTED)):
        found = {one["name"]: one["value"] for one in spec["containers"][0]["env"] if one["name"] in others}
        assert found == {"RAY_AUTH_MODE": "token"}


def test_all_of_it_goes_with_the_pod() -> None:
    found = metadata(training_pod())
    assert found["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "flights-0123-abcde",
         "uid": "0f3c2a91-1111-2222-3333-444444444444"}
    ]  # fmt: skip
    assert found["labels"] == {"app.kubernetes.io/managed-by": "trimtab"}
    assert name_of(training_pod()) == "trimtab-ray-0f3c2a91"


@pytest.mark.parametrize(("named", "queue"), [("", "team"), ("workers", "workers")])
def test_it_waits_in_the_queue_that_is_named_else_in_that_of_the_pod(named: str, queue: str) -> None:
    own = training_pod()
    own["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] = "urgent"
    labels = ray_job(own, replace(WANTED, queue=named))["metadata"]["labels"]
    assert labels == {
        "app.kubernetes.io/managed-by": "trimtab",
        "kueue.x-k8s.io/queue-name": queue,
        "kueue.x-k8s.io/priority-class": "urgent",
    }


def test_without_a_queue_kueue_has_no_part_in_it() -> None:
    own = training_pod()
    own["metadata"]["labels"] = {}
    assert ray_job(own, WANTED)["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "trimtab"}


@pytest.mark.parametrize(
    "volumes", [[], [{"name": "home", "emptyDir": {}}], [{"name": "home", "ephemeral": {}}]]
)
def test_a_home_that_no_other_pod_sees_is_refused(volumes: list[dict[str, Any]]) -> None:
    with pytest.raises(InputRefused, match="lies in this pod alone") as refused:
        ray_job(training_pod(volumes=volumes), WANTED)
    assert "ReadWriteMany" in str(refused.value)


def test_the_deepest_mount_decides() -> None:
    own = training_pod()
    own["spec"]["containers"][0]["volumeMounts"].append(
        {"name": "scratch", "mountPath": "/trimtab/.trimtab/tmp"}
    )
    own["spec"]["volumes"].append({"name": "scratch", "emptyDir": {}})
    with pytest.raises(InputRefused, match="lies in this pod alone"):
        ray_job(own, WANTED)


def test_gpus_are_asked_for_by_workers_alone() -> None:
    head, worker = templates(ray_job(training_pod(), replace(WANTED, gpus=True)))
    assert worker["containers"][0]["resources"]["limits"][GPU] == "1"
    assert all(GPU not in one["resources"]["limits"] for one in head["containers"])


@pytest.mark.parametrize(
    "name",
    [
        "team.example/accelerator",
        "amd.com/gpu",
        "nvidia.com/mig-1g.5gb",
        "nvidia.com/gpu.shared",
        "gpu.intel.com/xe",
    ],
)
def test_an_accelerator_has_the_name_that_the_asking_pod_knows_and_none_is_held_for_nothing(
    name: str,
) -> None:
    own = training_pod()
    own["spec"]["containers"][0]["resources"]["limits"] |= {name: "2", "rdma/hca": "1"}
    assert wants_gpus(own, "auto")
    for gpus, held in ((True, {name: "1"}), (False, {})):
        _, worker = templates(ray_job(own, replace(WANTED, gpus=gpus)))
        limits = worker["containers"][0]["resources"]["limits"]
        assert {what: much for what, much in limits.items() if "/" in what} == {**held, "rdma/hca": "1"}


@pytest.mark.parametrize(
    ("device", "limits", "wants"),
    [
        ("cuda", {}, True),
        ("auto", {GPU: "1"}, True),
        ("auto", {}, False),
        ("auto", {"rdma/hca": "1"}, False),
        ("cpu", {GPU: "1"}, False),
    ],
)
def test_auto_follows_the_pod_that_asks(device: str, limits: dict[str, str], wants: bool) -> None:
    own = training_pod()
    own["spec"]["containers"][0]["resources"] = {"limits": limits}
    assert wants_gpus(own, device) is wants


def test_a_pod_of_kubeflow_pipelines_trains_in_its_container_main() -> None:
    own = training_pod()
    main = {**own["spec"]["containers"][0], "name": "main", "image": "ours"}
    own["spec"]["containers"] = [{"name": "wait", "image": "argoexec", "volumeMounts": []}, main]
    _, worker = templates(ray_job(own, WANTED))
    assert worker["containers"][0]["image"] == "ours"

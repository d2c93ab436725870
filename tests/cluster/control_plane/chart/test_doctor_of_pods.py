"""`trimtab doctor --cluster` of a release that does not come up: Kubernetes' own controllers make its pods, or are
refused; only the node is played, by the statuses that a kubelet or a scheduler writes."""

from contextlib import contextmanager

import pytest

from tests.cluster.control_plane.chart.release import CHART, SYSTEM, helm
from tests.cluster.control_plane.quotas import refuses
from trimtab.ports.cluster import Kind

pytestmark = pytest.mark.xdist_group("chart_pods")
POD = Kind("", "v1", "Pod", "pods")
QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
OPERATOR = "trimtab-operator"
LABELS = f"-n {SYSTEM} -l app.kubernetes.io/name={OPERATOR}"
CONTROLLERS = "deployment-controller,replicaset-controller,serviceaccount-controller,resourcequota-controller"


@contextmanager
def release_with_pods():
    from tests.cluster.kube.controllers import controller_manager
    from tests.cluster.kube.planes import running_control_plane

    with running_control_plane() as plane, controller_manager(plane, CONTROLLERS):
        there = helm(plane.folder / "helm", plane.kubeconfig)
        there.done("install", "trimtab", str(CHART), "-n", SYSTEM, "--create-namespace")
        yield plane


@pytest.fixture
def plane(for_group):
    return for_group(release_with_pods)


def pods(plane):
    from tests.cluster.kube.poll import eventually

    def made():
        found = plane.cluster.list(POD, SYSTEM)
        images = [pod["spec"]["containers"][0]["image"] for pod in found]
        return found if images == ["trimtab-operator:0.1.0"] * 2 else None

    return eventually("the controllers have made both", made)


def waits(reason, message="", last=None):
    """What a kubelet writes of the operator's container."""
    one = {
        "name": "operator",
        "image": "i",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "lastState": last or {},
    }
    return {"containerStatuses": [{**one, "state": {"waiting": {"reason": reason, "message": message}}}]}


UNSCHEDULED = {
    "conditions": [
        {
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory.",
        }
    ]
}  # fmt: skip
DIED = {
    "terminated": {
        "exitCode": 2,
        "reason": "Error",
        "message": "providers.mlflow[0].url: Input should be a URL",
    }
}


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [
        (
            waits("ImagePullBackOff", 'Back-off pulling image "trimtab-operator:0.1.0"'),
            'ImagePullBackOff of container operator: Back-off pulling image "trimtab-operator:0.1.0"; see the image',
            "make images, give them to the nodes or to a registry, and name them there: docs/install.md#with-helm",
        ),
        (
            waits("CrashLoopBackOff", "back-off 40s", DIED),
            "CrashLoopBackOff of container operator: providers.mlflow[0].url: Input should be a URL; see its log",
            f"kubectl logs --previous {LABELS}",
        ),
        (
            UNSCHEDULED,
            "Unschedulable: 0/1 nodes are available: 1 Insufficient memory.; make room on the nodes",
            f"kubectl describe deployment,pods {LABELS}",
        ),
    ],
    ids=["image", "crash", "no room"],
)
def test_what_keeps_the_operator_from_starting_is_named(doctor, plane, status, said, remedy):
    for pod in pods(plane):
        plane.cluster.write_status({**pod, "status": {"phase": "Pending", **status}})
    exit_status, found = doctor(plane.kubeconfig)
    assert exit_status == 1
    assert f"trimtab-operator:0.1.0: 0 of 2 replicas in {SYSTEM}: {said}" in found["operator"]["said"]
    assert found["operator"]["remedy"].startswith(remedy)


def test_a_secret_that_values_name_and_nobody_made_is_named(doctor, plane):
    found = pods(plane)
    for pod in found:
        plane.cluster.write_status({**pod, "status": {"phase": "Pending", **waits("ContainerCreating")}})
    said = 'MountVolume.SetUp failed for volume "secrets" : secret "mlflow-token" not found'
    about = {"apiVersion": "v1", "kind": "Pod", "name": found[0]["metadata"]["name"], "namespace": SYSTEM}
    event = {"type": "Warning", "reason": "FailedMount", "message": said, "involvedObject": about}
    meta = {"name": "trimtab-operator.1", "namespace": SYSTEM}
    plane.cluster.create({"apiVersion": "v1", "kind": "Event", "metadata": meta, **event})
    told = doctor(plane.kubeconfig)[1]["operator"]["said"]
    assert told.endswith(f"FailedMount: {said}; make the Secrets and ConfigMaps that it names")


def test_pods_that_a_quota_refuses_are_said_to_be(doctor, plane):
    from tests.cluster.kube.poll import eventually

    meta = {"name": "small", "namespace": SYSTEM}
    plane.cluster.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "0"}}}
    )

    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asked"},
        "spec": {"containers": [{"name": "x", "image": "x"}]},
    }  # fmt: skip

    eventually("the quota is enforced", lambda: refuses(plane.cluster, SYSTEM, pod))
    for one in plane.cluster.list(POD, SYSTEM):
        plane.cluster.delete(POD, SYSTEM, one["metadata"]["name"])

    def refused():
        held = plane.cluster.read(DEPLOYMENT, SYSTEM, OPERATOR)["status"]
        return any(one["type"] == "ReplicaFailure" for one in held.get("conditions", ()))

    try:
        eventually("the controllers say that pods are refused", refused)
        found = doctor(plane.kubeconfig)[1]["operator"]
        assert f"0 of 2 replicas in {SYSTEM}: its pods cannot be made: " in found["said"]
        assert "exceeded quota: small" in found["said"]
        assert "raise the namespace's ResourceQuota" in found["said"]
    finally:
        plane.cluster.delete(QUOTA, SYSTEM, "small")
        for one in plane.cluster.list(REPLICA_SET, SYSTEM):  # looked at now, and not once its pause is over
            about = {"metadata": {"annotations": {"example.com/looked-at": "again"}}}
            plane.cluster.merge(REPLICA_SET, SYSTEM, one["metadata"]["name"], about)
        pods(plane)


def test_a_new_replica_that_does_not_start_beside_old_ones_that_work_is_told_and_is_no_stop(doctor, plane):
    """As in an upgrade to an image that cannot be pulled."""
    from tests.cluster.kube.poll import eventually

    def available():
        return plane.cluster.read(DEPLOYMENT, SYSTEM, OPERATOR)["status"].get("availableReplicas", 0)

    def surge():
        return [one for one in plane.cluster.list(POD, SYSTEM) if one["metadata"]["name"] not in names]

    old = pods(plane)
    names = {pod["metadata"]["name"] for pod in old}
    for pod in old:
        ready = {"type": "Ready", "status": "True"}
        plane.cluster.write_status({**pod, "status": {"phase": "Running", "conditions": [ready]}})
    eventually("both are Ready", lambda: available() == 2)
    there = helm(plane.folder / "helm", plane.kubeconfig)
    there.done("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--set", "image.tag=0.2.0")
    try:
        (new,) = eventually("a third is made", surge)
        plane.cluster.write_status(
            {**new, "status": {"phase": "Pending", **waits("ErrImagePull", "not found")}}
        )
        found = doctor(plane.kubeconfig)[1]["operator"]
        assert f"2 of 2 replicas in {SYSTEM}: ErrImagePull of container operator: not found" in found["said"]
        assert (found["well"], found["needed"]) == (False, False)
    finally:
        there.done("rollback", "trimtab", "-n", SYSTEM)
        for pod in plane.cluster.list(POD, SYSTEM):
            plane.cluster.delete(POD, SYSTEM, pod["metadata"]["name"])
        eventually("none is Ready", lambda: available() == 0)

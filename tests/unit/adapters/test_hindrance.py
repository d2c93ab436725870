"""What an admission, a node or a registry says of pods, as a sentence with its remedy."""

import pytest

from trimtab.adapters import hindrance

QUOTA = 'pods "a-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'
LEVEL = 'pods "a-1" is forbidden: violates PodSecurity "restricted:latest": (container "main" must set …)'
INITIALIZER = LEVEL.replace("main", "storage-initializer")
UNSAID = 'pods "a-1" is forbidden: failed quota: small: must specify limits.memory for: main'
RANGE = 'pods "a-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'


def deployment(status: str, said: str):
    failure = {"type": "ReplicaFailure", "status": status, "reason": "FailedCreate", "message": said}
    return {"status": {"conditions": [{"type": "Available", "status": "False"}, failure]}}


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (QUOTA, "raise the namespace's ResourceQuota"),
        (LEVEL, "seccompProfile: {type: RuntimeDefault}"),
        (INITIALIZER, "ClusterStorageContainer `default`"),
        (UNSAID, "say the requests and limits"),
        (RANGE, "LimitRange"),
        ('admission webhook "a.test" denied the request: no', "as the admission webhook asks"),
        (
            "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no",
            "as the ValidatingAdmissionPolicy asks",
        ),
        (
            'Internal error occurred: failed calling webhook "a.test": EOF',
            "what answers the admission webhook runs",
        ),
        ("what nobody has seen yet", "kubectl get events"),
    ],
)
def test_a_refusal_is_told_with_what_helps(said, remedy):
    told = hindrance.of_deployments([deployment("True", said)])
    assert told.startswith(f"its pods cannot be made: {said}; ")
    assert remedy in told


def test_who_made_the_pods_may_know_better_what_helps():
    told = hindrance.refused(QUOTA, [("exceeded quota", "lower spec.pipeline.job.cpu")])
    assert told == f"its pods cannot be made: {QUOTA}; lower spec.pipeline.job.cpu"
    assert "LimitRange" in hindrance.refused(RANGE, [("exceeded quota", "lower spec.pipeline.job.cpu")])


def test_a_failure_that_is_over_is_none():
    assert hindrance.of_deployments([{}, {"status": {}}, deployment("False", QUOTA)]) == ""


def waiting(reason: str, message: str = "", died: str = ""):
    one = {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}
    if died:
        one["lastState"] = {"terminated": {"message": died}}
    return {"status": {"containerStatuses": [one]}}


def test_of_a_log_its_end_is_told_and_of_the_rest_its_beginning():
    log = "x" * 1000 + "ValueError: no such model"
    assert "ValueError: no such model; see its log" in hindrance.of_pods(
        [waiting("CrashLoopBackOff", "back-off", log)]
    )
    told = hindrance.of_pods([waiting("ImagePullBackOff", "not found: " + "y" * 1000)])
    assert told.startswith("ImagePullBackOff of container main: not found: y")
    assert "imagePullSecrets" in told
    assert len(told) < 500


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("0/1 nodes are available: 1 Insufficient memory.", "make room on the nodes"),
        ("pod has unbound immediate PersistentVolumeClaims.", "a default StorageClass may be missing"),
    ],
)
def test_a_pod_that_no_node_takes_is_told_with_what_helps(said, remedy):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    told = hindrance.of_pods([{"status": {"conditions": [condition]}}])
    assert told.startswith(f"Unschedulable: {said}; ")
    assert remedy in told


def test_what_only_begins_is_not_hindered():
    assert hindrance.of_pods([{}, waiting("ContainerCreating")]) == ""

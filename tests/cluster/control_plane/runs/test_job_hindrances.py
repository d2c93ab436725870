"""Why a run in a Job does not begin, or ends badly, as a sentence with a remedy: real admission and Job controller.

What a kubelet or a scheduler would write of the pod, the tests write.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.jobs import (
    KEY,
    NAME,
    PIPELINE,
    UNTIL,
    ended,
    state,
    terminated,
    waiting,
)
from trimtab.adapters.jobs import JOB, POD, JobRuns
from trimtab.adapters.jobs.message import Ended
from trimtab.api.errors import TrimtabError
from trimtab.ports.cluster import Kind
from trimtab.ports.runs import RunState

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                             "message": "Eviction API: evicting"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (terminated(137, reason="OOMKilled"), ["out of memory (OOMKilled)", "raise spec.pipeline.job.memory"]),
        (terminated(2, message=Ended(failed="there is no s3://x; see spec").to_text()), ["there is no s3://x"]),
        (terminated(1, message="Traceback\n ImportError: kfp"), ["with status 1", "ImportError: kfp", "kubectl logs"]),
        (terminated(143, reason="Error", message=""), ["ended with status 143"]),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            ["was evicted", "low on resource: memory"],
        ),
    ],
    ids=["memory", "own words", "crash", "terminated", "evicted"],
)  # fmt: skip
def test_why_a_run_failed_is_a_sentence_with_a_remedy(
    runs: Callable[..., JobRuns], pod: Callable[..., str], status: dict[str, Any], said: list[str]
) -> None:
    runs().start(KEY, UNTIL)
    pod(status)
    run = ended(runs(), KEY)
    assert run.state is RunState.FAILED
    for words in said:
        assert words in run.because


def test_a_pod_pushed_off_its_node_costs_no_retry(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    """retries is 0, and yet another pod comes."""
    from tests.cluster.kube.poll import eventually

    runs().start(KEY, UNTIL)
    first = pod(terminated(143, **DISRUPTED))

    def another() -> list[str]:
        made = plane.cluster.list(POD, space, {"trimtab.dev/run": NAME})
        return [one["metadata"]["name"] for one in made if one["metadata"]["name"] != first]

    eventually("another pod", another)
    found = runs().find(KEY)
    assert found is not None
    assert found.state is RunState.PENDING


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (waiting("ImagePullBackOff", "Back-off pulling image"), ["ImagePullBackOff", "spec.pipeline.job.image"]),
        (waiting("CreateContainerConfigError", 'secret "storage" not found'), ['secret "storage"', "envFrom"]),
    ],
    ids=["image", "secret"],
)  # fmt: skip
def test_a_pod_that_cannot_start_is_told_and_given_up_after_a_quarter_of_an_hour(
    runs: Callable[..., JobRuns], pod: Callable[..., str], status: dict[str, Any], said: list[str]
) -> None:
    runs().start(KEY, UNTIL)
    pod(status)
    soon, late = runs(), runs(now=lambda: datetime.now(UTC) + timedelta(minutes=16))
    soon.tend(KEY)
    found = soon.find(KEY)
    assert found is not None
    assert found.state is RunState.PENDING
    late.tend(KEY)
    late.tend(KEY)
    run = ended(soon, KEY)
    assert run.state is RunState.FAILED
    for words in said:
        assert words in found.because
        assert words in run.because


UNSCHEDULABLE = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }
    ]
}


def told(runs: Callable[..., JobRuns], words: str) -> str:
    """What a run that has no pod for two minutes says, once it says this."""
    from tests.cluster.kube.poll import eventually

    def because() -> str:
        run = runs(now=later(2)).find(KEY)
        assert run is not None
        assert run.state is RunState.PENDING
        return run.because if words in run.because else ""

    return eventually(f"it is told: {words}", because)


def later(minutes: float) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + timedelta(minutes=minutes)


def past_its_deadline(plane: Any, space: str) -> None:
    plane.cluster.merge(JOB, space, NAME, {"spec": {"activeDeadlineSeconds": 1}})


def test_a_pod_that_no_node_takes_is_told_and_still_when_its_deadline_has_passed(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    runs().start(KEY, UNTIL)
    pod(UNSCHEDULABLE)
    found = runs().find(KEY)
    assert found is not None
    assert "3 Insufficient cpu" in found.because
    assert "lower spec.pipeline.job.cpu" in found.because

    runs(now=later(2)).tend(KEY)
    noted = plane.cluster.read(JOB, space, NAME)["metadata"]["annotations"]
    pod(json.loads(json.dumps(UNSCHEDULABLE).replace("3", "4")))
    runs(now=later(20)).tend(KEY)
    assert plane.cluster.read(JOB, space, NAME)["metadata"]["annotations"] == noted, (
        "noted once; a node may come"
    )
    past_its_deadline(plane, space)
    run = ended(runs(), KEY)
    assert run.state is RunState.FAILED
    assert "longer than spec.pipeline.job.deadline" in run.because
    assert "3 Insufficient cpu" in run.because
    assert "lower spec.pipeline.job.cpu" in run.because


def test_what_hindered_a_run_that_then_ran_is_not_why_it_took_too_long(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    runs().start(KEY, UNTIL)
    pod(UNSCHEDULABLE)
    runs(now=later(2)).tend(KEY)
    pod({"phase": "Running", "containerStatuses": [state(running={"startedAt": "2026-01-01T00:00:00Z"})]})
    runs(now=later(3)).tend(KEY)
    past_its_deadline(plane, space)
    run = ended(runs(), KEY)
    assert run.state is RunState.FAILED
    assert "longer than spec.pipeline.job.deadline" in run.because
    assert "Insufficient" not in run.because


def a_quota(plane: Any, space: str) -> None:
    meta = {"name": "small", "namespace": space}
    spec = {"hard": {"pods": "0"}}
    plane.cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec})


def restricted(plane: Any, space: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.cluster.merge(NAMESPACE, "", space, {"metadata": {"labels": labels}})


def no_account(plane: Any, space: str) -> None:
    """It may make Jobs, for rights are a name's; pods it may not run as."""
    plane.cluster.delete(Kind("", "v1", "ServiceAccount", "serviceaccounts"), space, "trimtab-pipelines")


def a_limit_range(plane: Any, space: str) -> None:
    meta, most = {"name": "small", "namespace": space}, {"type": "Container", "max": {"memory": "1Gi"}}
    plane.cluster.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [most]}}
    )


def a_policy(plane: Any, space: str) -> None:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "no label `team`"}],
    }
    registered(plane, "ValidatingAdmissionPolicy", {"metadata": {"name": space}, "spec": spec})
    binding = {"policyName": space, "validationActions": ["Deny"], "matchResources": here}
    registered(plane, "ValidatingAdmissionPolicyBinding", {"metadata": {"name": space}, "spec": binding})


def registered(plane: Any, kind: str, rest: dict[str, Any]) -> None:
    plane.cluster.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, **rest})


def refused(plane: Any, space: str, said: str) -> None:
    """Wait until a pod is: an API server takes a moment to know what it was told."""
    from tests.cluster.kube.poll import eventually

    container = {"name": "x", "image": "x", "resources": {"limits": {"memory": "4Gi"}}}
    spec = {"serviceAccountName": "trimtab-pipelines", "containers": [container]}
    meta = {"name": "x", "namespace": space}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def is_refused() -> bool:
        try:
            plane.cluster.apply(pod, dry_run=True)
        except TrimtabError as error:
            return said in str(error)
        return False

    eventually(f"pods are refused: {said}", is_refused)


@pytest.mark.parametrize(
    ("hindered", "said", "remedy"),
    [
        (a_quota, "exceeded quota: small", "lower spec.pipeline.job.cpu, memory or gpu, or raise the namespace's"),
        (restricted, "violates PodSecurity", "spec.pipeline.job.securityContext"),
        (no_account, 'serviceaccount "trimtab-pipelines" not found', "that spec.pipeline.serviceAccountName names"),
        (a_limit_range, "maximum memory usage per Container is 1Gi", "LimitRange"),
        (a_policy, "denied request: no label `team`", "do as the ValidatingAdmissionPolicy asks"),
    ],
)  # fmt: skip
def test_pods_that_are_refused_are_told_with_what_helps(
    runs: Callable[..., JobRuns],
    plane: Any,
    space: str,
    hindered: Callable[[Any, str], None],
    said: str,
    remedy: str,
) -> None:
    hindered(plane, space)
    refused(plane, space, said)
    runs().start(KEY, UNTIL)
    because = told(runs, said)
    assert because.startswith("its pods cannot be made: ")
    assert remedy in because


def test_a_run_that_never_had_a_pod_says_why_when_its_deadline_has_passed(
    runs: Callable[..., JobRuns], plane: Any, space: str
) -> None:
    restricted(plane, space)
    refused(plane, space, "violates PodSecurity")
    runs().start(KEY, UNTIL)
    told(runs, "violates PodSecurity")
    runs(now=later(2)).tend(KEY)
    past_its_deadline(plane, space)
    run = ended(runs(), KEY)
    assert run.state is RunState.FAILED
    assert "longer than spec.pipeline.job.deadline" in run.because
    assert "violates PodSecurity" in run.because


def test_by_the_remedy_a_restricted_namespace_takes_the_pod(
    runs: Callable[..., JobRuns], plane: Any, space: str
) -> None:
    from tests.cluster.kube.poll import eventually

    restricted(plane, space)
    refused(plane, space, "violates PodSecurity")
    job = {**PIPELINE["job"], "securityContext": {"runAsNonRoot": True, "fsGroup": 65532}}
    runs({**PIPELINE, "job": job}).start(KEY, UNTIL)
    (made,) = eventually("its pod is made", lambda: plane.cluster.list(POD, space, {"trimtab.dev/run": NAME}))
    said = {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True, "fsGroup": 65532}
    assert made["spec"]["securityContext"] == said


def test_a_second_pod_that_is_refused_is_told_after_a_first_that_failed(
    runs: Callable[..., JobRuns], pod: Callable[..., str], plane: Any, space: str
) -> None:
    again = {**PIPELINE, "job": {**PIPELINE["job"], "retries": 2}}
    runs(again).start(KEY, UNTIL)
    pod({"phase": "Running", "containerStatuses": [state(running={"startedAt": "2026-01-01T00:00:00Z"})]})
    restricted(plane, space)
    refused(plane, space, "violates PodSecurity")
    pod(terminated(137, reason="OOMKilled"))
    assert "spec.pipeline.job.securityContext" in told(runs, "violates PodSecurity")


class Denies(BaseHTTPRequestHandler):
    """An admission webhook to which no pod is good enough."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": "no label `team`"}}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said}
        self.wfile.write(json.dumps(review).encode())

    def log_message(self, *_: object) -> None:
        pass


def asked_before_pods_are_made(plane: Any, space: str, url: str) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    hook = {
        "name": "pods.policies.test",
        "clientConfig": {"url": url, "caBundle": plane.authority_base64},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    registered(plane, "ValidatingWebhookConfiguration", {"metadata": {"name": space}, "webhooks": [hook]})


@contextmanager
def denying(plane: Any, folder: Path) -> Iterator[str]:
    files = plane.keys.authority.server("webhook", ["127.0.0.1"]).write(folder, "webhook")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Denies) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_webhook_that_refuses_and_one_that_is_away_are_told_apart(
    runs: Callable[..., JobRuns], plane: Any, space: str, tmp_path: Path
) -> None:
    with denying(plane, tmp_path / "webhook") as url:
        asked_before_pods_are_made(plane, space, url)
        refused(plane, space, "denied the request")
        runs().start(KEY, UNTIL)
        because = told(runs, 'admission webhook "pods.policies.test" denied the request: no label `team`')
        assert "do as the admission webhook asks" in because
    assert "see that what answers the admission webhook runs" in told(runs, "failed calling webhook")

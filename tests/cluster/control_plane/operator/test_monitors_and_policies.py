"""Monitors and policies in the operator's own process: what wakes them, and events that are posted to it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.drift_handlers import objects
from trimtab.adapters.jobs import JOB
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, RETRAIN_POLICY
from trimtab.adapters.kubernetes.posted import POSTED
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("operator")
TYPE = "com.example.upstream.changed"
WITHIN_S = 60.0


def ready(scene: "Scene", kind: Kind, name: str) -> tuple[str, str]:
    held = scene.cluster.get(kind, scene.namespace, name)
    said = ((held or {}).get("status") or {}).get("conditions", [])
    found = [one for one in said if one["type"] == "Ready"]
    return (found[0]["status"], found[0]["reason"]) if found else ("", "")


def becomes(scene: "Scene", kind: Kind, name: str, status: str, reason: str) -> None:
    from tests.cluster.kube.poll import eventually

    eventually(f"{name}: {reason}", lambda: ready(scene, kind, name) == (status, reason), WITHIN_S)


def test_what_is_named_is_taken_up_as_it_appears_and_a_posted_event_makes_one_job(
    scene: "Scene", start_operator: "Callable[..., Operator]", control_plane: "ControlPlane"
) -> None:
    import httpx

    from tests.cluster.control_plane.operator.scene import rollout
    from tests.cluster.kube.poll import eventually

    operator, cluster, namespace = start_operator(), scene.cluster, scene.namespace
    triggers = [
        {"name": "worse", "performance": {"monitorRef": "watch"}},
        {"name": "upstream", "event": {"type": TYPE}},
    ]
    objects.allow_trainer(cluster, namespace)
    cluster.create(objects.policy(namespace, triggers=triggers))
    becomes(scene, RETRAIN_POLICY, "again", "False", "MonitorNotFound")
    cluster.create(objects.monitor(namespace))
    becomes(scene, DRIFT_MONITOR, "watch", "False", "RolloutNotFound")
    becomes(scene, RETRAIN_POLICY, "again", "False", "RolloutNotFound")
    cluster.create(rollout(namespace))
    becomes(scene, RETRAIN_POLICY, "again", "True", "Watching")
    # Its model is in no registry, so it has no profile: that is what the monitor says once it serves.
    becomes(scene, DRIFT_MONITOR, "watch", "False", "Hindered")

    url = f"{eventually('its port', lambda: operator.address, WITHIN_S)}/v1/namespaces/{namespace}/events"
    token = control_plane.account(namespace, "default").credentials
    elsewhere = control_plane.account("kube-system", own_account(cluster)).credentials

    def post(told: dict[str, Any] | None = None, by: object = token, body: bytes = b"") -> httpx.Response:
        headers = {"Authorization": f"Bearer {by}"} if by else {}
        headers |= {f"ce-{name}": value for name, value in (told or {}).items()}
        headers |= {"content-type": "application/cloudevents+json"} if body else {}
        return httpx.post(url, headers=headers, content=body, timeout=20, trust_env=False)

    event = {"id": "n-1", "type": TYPE, "source": "x", "specversion": "1.0"}
    assert post(event, by="").status_code == 401
    assert post(event, by="nonsense").status_code == 401
    assert post(event, by=elsewhere).status_code == 403
    assert post({**event, "type": "com.example.other"}).status_code == 404
    assert post({"id": "n-1"}).status_code == 400
    assert post(body=b"[" * 100).status_code == 400
    assert post(body=b" " * 70_000).status_code == 413
    assert cluster.list(JOB, namespace) == []
    answer = post(event)
    assert (answer.status_code, answer.json()) == (202, {"policies": ["again"]})
    held = cluster.get(RETRAIN_POLICY, namespace, "again")
    assert held is not None
    assert '"n-1"' in held["metadata"]["annotations"][POSTED]  # before the 202
    (job,) = eventually("the Job", lambda: cluster.list(JOB, namespace), WITHIN_S)
    assert post(event).status_code == 202
    assert operator.stop() == 0
    again = start_operator()
    becomes(scene, RETRAIN_POLICY, "again", "True", "Watching")
    # What became of the Job wakes its policy.
    name = job["metadata"]["name"]
    cluster.delete(JOB, namespace, name)
    eventually(
        "the run made anew under the same key",
        lambda: (
            [
                one["metadata"]["name"]
                for one in cluster.list(JOB, namespace)
                if one["metadata"]["uid"] != job["metadata"]["uid"]
            ]
            == [name]
        ),
        WITHIN_S,
    )
    assert "a look failed" not in again.text()
    assert again.stop() == 0


def own_account(cluster: Any) -> str:
    """A service account of another namespace."""
    meta = {"name": "poster", "namespace": "kube-system"}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    return "poster"

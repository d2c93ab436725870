"""A ModelRollout from `apply` to a served revision, by the operator's own process on a real API server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT

if TYPE_CHECKING:
    from tests.cluster.control_plane.operator.conftest import Operator
    from tests.cluster.kube.direct import Direct

pytestmark = pytest.mark.xdist_group("operator")
WITHIN_S = 60.0


def rollout(namespace: str, version: str = "1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": "flights", "namespace": namespace},
        "spec": {
            "model": {
                "uri": f"s3://models/flights/{version}",
                "version": version,
                "digest": f"0{version}" * 32,
            },
            "modelName": "flights",
            "serviceAccountName": "default",
            "serving": {
                "template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}
            },
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": ["models.example.com"],
            },
            **spec,
        },
    }


def status(cluster: "Direct", namespace: str) -> dict[str, Any]:
    held = cluster.get(MODEL_ROLLOUT, namespace, "flights")
    assert held is not None
    return dict(held.get("status") or {})


def condition(cluster: "Direct", namespace: str, kind: str) -> str:
    found = [one for one in status(cluster, namespace).get("conditions", []) if one["type"] == kind]
    return str(found[0]["status"]) if found else ""


@pytest.fixture
def writer(cluster: "Direct", namespace: str) -> None:
    """The rollout's service account may write what a rollout writes."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    cluster.create(
        {
            **role,
            "metadata": {"name": "rollouts", "namespace": namespace},
            "rules": [
                {"apiGroups": [group], "resources": [kind], "verbs": ["*"]}
                for group, kind in (
                    ("serving.kserve.io", "inferenceservices"),
                    ("gateway.networking.k8s.io", "httproutes"),
                    ("", "services"),
                )
            ],
        }
    )
    cluster.create(
        {
            **role,
            "kind": "RoleBinding",
            "metadata": {"name": "rollouts", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "rollouts"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }
    )


def test_a_first_revision_is_served(
    cluster: "Direct", namespace: str, start_operator: "Callable[..., Operator]", writer: None
) -> None:
    from tests.cluster.kube.poll import eventually

    operator = start_operator()
    cluster.create(rollout(namespace))
    eventually(
        "the first revision serves",
        lambda: condition(cluster, namespace, "Ready") == "True",
        WITHIN_S,
    )
    seen = status(cluster, namespace)
    assert seen["stable"]["version"] == "1"
    assert seen["shares"] == {"stable": 100, "candidate": 0, "mirror": 0}
    route = cluster.get(HTTP_ROUTE, namespace, "flights-trimtab")
    assert route is not None
    assert [ref["weight"] for rule in route["spec"]["rules"][:1] for ref in rule["backendRefs"]] == [100]
    assert operator.stop() == 0

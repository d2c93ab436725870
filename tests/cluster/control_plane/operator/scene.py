"""One ModelRollout as a person sees and orders it."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.rbac import grant, service_account
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import route_name, split_of
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.api.resources import ACT, EPOCH, Act, Verb
from trimtab.ports.cluster import Object
from trimtab.ports.gateway import Split

if TYPE_CHECKING:
    from tests.cluster.kube.direct import Direct

WITHIN_S = 90.0
TEMPLATE: Mapping[str, Any] = {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}
QUICK: Mapping[str, Any] = {
    "warmUp": {"requests": 2, "timeout": "60s"},
    "steps": [
        {"name": "shadow", "shadow": {}, "until": {"minDuration": "2s"}},
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "2s"}},
    ],
    "keepPrevious": "2s",
}
WRITTEN = (
    ("serving.kserve.io", "inferenceservices"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("", "services"),
)


def model(version: str) -> dict[str, str]:
    """An inline model."""
    return {"uri": f"s3://models/flights/{version}", "version": version, "digest": f"{version:0>2}" * 32}


def rollout(namespace: str, version: str = "1", name: str = "flights", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": MODEL_ROLLOUT.api_version,
        "kind": MODEL_ROLLOUT.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": model(version),
            "modelName": "flights",
            "serviceAccountName": "default",
            "serving": {"template": TEMPLATE},
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": ["models.example.com"],
            },
            "strategy": QUICK,
            "checks": [],
            **spec,
        },
    }


class Scene:
    """A rollout of one namespace.

    Args:
        template: what its revisions are served by.
    """

    def __init__(
        self,
        cluster: "Direct",
        namespace: str,
        name: str = "flights",
        template: Mapping[str, Any] = TEMPLATE,
    ) -> None:
        self.cluster, self.namespace, self.name, self._template = cluster, namespace, name, template

    def another(self, name: str) -> "Scene":
        """Of a second rollout in the same namespace."""
        return Scene(self.cluster, self.namespace, name, self._template)

    # what a person does

    def allow(self, account: str) -> None:
        """A service account may write what a rollout writes."""
        rules = [{"apiGroups": [group], "resources": [kind], "verbs": ["*"]} for group, kind in WRITTEN]
        subject = service_account(self.namespace, account)
        grant(self.cluster, self.namespace, f"rollouts-{account}", subject, rules)

    def create(self, version: str = "1", **spec: Any) -> None:
        serving = {"template": self._template}
        self.cluster.create(rollout(self.namespace, version, self.name, **{"serving": serving, **spec}))

    def edit(self, **spec: Any) -> None:
        self.cluster.merge(MODEL_ROLLOUT, self.namespace, self.name, {"spec": spec})

    def wish(self, version: str) -> None:
        self.edit(model=model(version))

    def order(self, verb: str, revision: str, step: str | None = None, by: str = "ann") -> None:
        text = Act(id=uuid4().hex, verb=Verb(verb), revision=revision, step=step, by=by).text()
        self.annotate(ACT, text)

    def toggles(self) -> None:
        """A person suspends it, or goes on: the operator has something to say."""
        self.edit(suspend=not self.resource["spec"].get("suspend", False))

    def delete(self) -> None:
        self.cluster.delete(MODEL_ROLLOUT, self.namespace, self.name)

    def wipe(self) -> None:
        """The status is lost, as by a restore without it."""
        self.cluster.merge(MODEL_ROLLOUT, self.namespace, self.name, {"status": None}, status=True)

    def annotate(self, key: str, value: str) -> None:
        patch = {"metadata": {"annotations": {key: value}}}
        self.cluster.merge(MODEL_ROLLOUT, self.namespace, self.name, patch)

    # what a person sees

    @property
    def resource(self) -> Object:
        held = self.cluster.get(MODEL_ROLLOUT, self.namespace, self.name)
        assert held is not None
        return held

    @property
    def gone(self) -> bool:
        return self.cluster.get(MODEL_ROLLOUT, self.namespace, self.name) is None

    @property
    def epoch(self) -> str:
        """Which leadership wrote it last."""
        return str((self.resource["metadata"].get("annotations") or {}).get(EPOCH, ""))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.resource.get("status") or {})

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    def version(self, role: str) -> str:
        """Of stable, candidate or previous; "" where there is none."""
        return str((self.status.get(role) or {}).get("version", ""))

    def revision(self, role: str) -> str:
        return str((self.status.get(role) or {}).get("revision", ""))

    def condition(self, kind: str) -> tuple[str, str, str]:
        """(status, reason, message); all "" where there is none."""
        for one in self.status.get("conditions") or []:
            if one["type"] == kind:
                return one["status"], one["reason"], one.get("message", "")
        return "", "", ""

    def is_(self, kind: str, status: str = "True") -> bool:
        return self.condition(kind)[0] == status

    @property
    def quiet(self) -> bool:
        """Nothing wrote the rollout for a second and a half: longer than the operator takes to answer a change."""
        before, until_s = self.resource, time.monotonic() + 1.5
        while time.monotonic() < until_s:
            if self.resource["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
                return False
        return True

    @property
    def route(self) -> Object | None:
        return self.cluster.get(HTTP_ROUTE, self.namespace, route_name(self.name))

    @property
    def split(self) -> Split:
        held = self.route
        return split_of(held) if held is not None else Split({})

    @property
    def servers(self) -> set[str]:
        """Versions that have an InferenceService."""
        found = self.cluster.list(INFERENCE_SERVICE, self.namespace)
        return {one["metadata"]["annotations"]["trimtab.dev/version"] for one in found}

    def until(self, what: str, holds: Callable[[], object], within_s: float = WITHIN_S) -> None:
        try:
            eventually(what, holds, within_s)
        except ClusterToolFailed as error:
            held = self.cluster.get(MODEL_ROLLOUT, self.namespace, self.name) or {}
            raise AssertionError(
                f"{error}\n{json.dumps(held.get('status'), indent=1)}\n{self.split}"
            ) from None

    def serve_first(self, **spec: Any) -> None:
        """Version 1 serves."""
        self.create(**spec)
        self.until("the first revision serves", lambda: self.is_("Ready"))

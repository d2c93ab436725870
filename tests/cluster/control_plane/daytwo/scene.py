"""One rollout in one namespace, as a person sees and steers it."""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.kube.poll import T, eventually
from tests.cluster.kube.rbac import grant, service_account
from trimtab.adapters.children import REVISION, ROLLOUT
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE, POD
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.ports.cluster import Object
from trimtab.ports.state import Conflict

if TYPE_CHECKING:
    from tests.cluster.kube.direct import Direct

NAME = "flights"
ROUTE = "flights-trimtab"
WITHIN_S = 120.0
STEPS = (
    {"name": "first", "canary": {"percent": 10}},
    {"name": "sign-off", "approval": {}},
    {"name": "half", "canary": {"percent": 50}},
)


def manifest(namespace: str, version: str = "1", **spec: Any) -> dict[str, Any]:
    """A rollout whose candidates stand at 10 % until a person approves; a model a version."""
    return {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "model": model(version),
            "modelName": NAME,
            "serviceAccountName": "default",
            "serving": {
                "template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}
            },
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": ["models.example.com"],
            },
            "strategy": {"warmUp": {"requests": 0}, "steps": list(STEPS), "keepPrevious": "1h"},
            "checks": [],
            **spec,
        },
    }


def model(version: str) -> dict[str, str]:
    return {"uri": f"s3://models/flights/{version}", "version": version, "digest": f"0{version}" * 32}


def allow(cluster: "Direct", namespace: str) -> None:
    """The account `default` may write what a rollout writes."""
    rules = [
        {"apiGroups": [api], "resources": [kind], "verbs": ["*"]}
        for api, kind in (
            ("serving.kserve.io", "inferenceservices"),
            ("gateway.networking.k8s.io", "httproutes"),
            ("", "services"),
        )
    ]
    grant(cluster, namespace, "rollouts", service_account(namespace, "default"), rules)


@dataclass
class Scene:
    """
    Attributes:
        kubeconfig: of an admin.
        log: what the operators said, for a test that fails.
    """

    cluster: "Direct"
    namespace: str
    kubeconfig: Path

    def begin(self, version: str = "1", **spec: Any) -> None:
        """Make the rollout, and wait until its first revision serves."""
        allow(self.cluster, self.namespace)
        self.cluster.create(manifest(self.namespace, version, **spec))
        self.until("the first revision serves", lambda: self.condition("Ready") == "True")

    def rollout(self) -> Object:
        held = self.cluster.get(MODEL_ROLLOUT, self.namespace, NAME)
        assert held is not None
        return held

    def status(self) -> dict[str, Any]:
        return dict(self.rollout().get("status") or {})

    def version(self, role: str) -> str:
        """Of stable, candidate or previous; "" where there is none."""
        return str((self.status().get(role) or {}).get("version", ""))

    def revision(self, role: str) -> str:
        return str(self.status()[role]["revision"])

    def condition(self, kind: str) -> str:
        found = [one for one in self.status().get("conditions", []) if one["type"] == kind]
        return str(found[0]["status"]) if found else ""

    def rejected(self) -> set[str]:
        return {entry["version"] for entry in self.status().get("rejected", [])}

    def route(self) -> Object | None:
        return self.cluster.get(HTTP_ROUTE, self.namespace, ROUTE)

    def weights(self) -> dict[str, int]:
        """Percent by version, as the route has them."""
        held = self.route()
        versions = {
            one["metadata"]["labels"][REVISION]: one["metadata"]["annotations"]["trimtab.dev/version"]
            for one in self.servers()
        }
        found: dict[str, int] = {}
        for ref in held["spec"]["rules"][0]["backendRefs"] if held is not None else []:
            name = str(ref["name"])
            # Its server may just have gone.
            version = next((versions[one] for one in versions if one in name), name)
            if ref["weight"]:
                found[version] = ref["weight"]
        return found

    def servers(self) -> list[Object]:
        return list(self.cluster.list(INFERENCE_SERVICE, self.namespace, {ROLLOUT: NAME}))

    def wish(self, version: str) -> None:
        """Another model in the spec: a candidate."""
        self.merge({"spec": {"model": model(version)}})

    def merge(self, patch: Mapping[str, Any]) -> None:
        self.cluster.merge(MODEL_ROLLOUT, self.namespace, NAME, patch)

    def waits_for_approval(self, version: str) -> None:
        self.until(
            f"version {version} waits for approval",
            lambda: self.status().get("phase") == "AwaitingApproval" and self.version("candidate") == version,
        )

    def order(self, verb: str, revision: str, step: str = "", number: str = "one", **also: Any) -> None:
        """As `kubectl trimtab` writes it; `also` goes into the same write."""
        act = {"id": number, "verb": verb, "revision": revision, "step": step, "by": "admin"}
        text = json.dumps({key: value for key, value in act.items() if value}, separators=(",", ":"))
        self.merge({"metadata": {"annotations": {"trimtab.dev/act": text}}, **also})

    def observed(self) -> None:
        """The operator has looked since the spec was changed."""
        self.until(
            "the operator has seen the spec",
            lambda: self.status().get("observedGeneration") == self.rollout()["metadata"]["generation"],
        )

    def forget(self) -> None:
        """Wipe the status, and wait until the operator has rebuilt one."""

        def wiped() -> bool:
            with suppress(Conflict):
                self.cluster.write_status({**self.rollout(), "status": {}})
                return True
            return False

        self.until("the status is wiped", wiped)
        self.until(
            "a status is rebuilt", lambda: self.version("stable") and self.condition("Ready") == "True"
        )

    def fails(self, revision: str) -> None:
        """A pod of this revision whose container has died three times."""
        name = f"flights-{revision}-predictor-x"
        labels = {ROLLOUT: NAME, REVISION: revision, "component": "predictor"}
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
                "spec": {"containers": [{"name": "kserve-container", "image": "x"}]},
            }
        )
        died = {"name": "kserve-container", "image": "x", "imageID": "", "ready": True, "restartCount": 3}
        self.cluster.merge(POD, self.namespace, name, {"status": {"containerStatuses": [died]}}, status=True)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        from tests.cluster.kube.binaries import binary

        ended = subprocess.run(
            [str(binary("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def until(self, what: str, probe: Callable[[], T | None]) -> T:
        return eventually(what, probe, WITHIN_S)

"""A pod that trains by learner.py or searches by searcher.py, with workers in pods of their own."""

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.cluster.documented_rules import documented_rules
from tests.cluster.kube.rbac import role_with_binding, service_account

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

NAME: Final = "training"
ACCOUNT: Final = "trimtab-pipelines"
SHARED: Final = "/trimtab"
SLOWLY: Final = "time.sleep(0.25)"
"""In each of about 11 steps of each of 4 epochs."""
ENDED: Final = ("Succeeded", "Failed")


class Training:
    """A pod that trains by learner.py."""

    def __init__(self, node: "Node", namespace: str, shared: Path) -> None:
        from tests.cluster.kube import images

        self.node, self.namespace, self.shared = node, namespace, shared
        self.environment: dict[str, str] = {}
        self.image, self.memory = images.RAY, ""

    def begin(self, line: str = "pass", device: str = "auto") -> None:
        self.run(f'learner.py $ROOT small 2 "$LINE" kuberay {device}', line)

    def run(self, script: str, line: str = "") -> None:
        meta = {"name": ACCOUNT, "namespace": self.namespace}
        subject = service_account(self.namespace, ACCOUNT)
        self.node.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            *role_with_binding(self.namespace, ACCOUNT, subject, documented_rules()),
            pod(self.namespace, script, {"LINE": line, **self.environment}, self.image, self.memory),
        )

    @property
    def log(self) -> str:
        return self.node.kubectl("logs", NAME, "-n", self.namespace)

    def until(self, said: str, within_s: float = 240) -> None:
        from tests.cluster.kube.poll import eventually

        self.node.wait("Ready", "pod", NAME, self.namespace, 60)

        def heard() -> bool:
            assert self.phase not in ENDED, self.log
            return said in self.log

        eventually(f"it says '{said}'", heard, within_s)

    def ended(self, within_s: float = 300) -> str:
        from tests.cluster.kube.poll import eventually

        eventually("it has ended", lambda: self.phase in ENDED, within_s)
        return self.log

    @property
    def phase(self) -> str:
        found: str = self.node.get("pod", NAME, self.namespace)["status"].get("phase", "")
        return found

    def kill(self) -> None:
        """As the kernel does that is out of memory: without a word."""
        running = [one for one in psutil.process_iter(["cmdline"]) if self._is(one.info["cmdline"] or [])]
        assert running
        for one in running:
            os.kill(one.pid, signal.SIGKILL)

    def _is(self, cmdline: list[str]) -> bool:
        return f"{SHARED}/learner.py" in cmdline and f"{SHARED}/{self.namespace}" in cmdline

    def nodes(self, type_: str = "") -> list[str]:
        """Pods of Ray."""
        selector = f"ray.io/node-type={type_}" if type_ else "ray.io/cluster"
        return [one["metadata"]["name"] for one in self.node.list("pods", self.namespace, selector)]

    def held(self) -> list[str]:
        """What still stands of what it made and takes room or knows the token."""
        kinds = ("secrets", "rayclusters")
        made = [one["metadata"]["name"] for kind in kinds for one in self.node.list(kind, self.namespace)]
        return [*made, *self.nodes()]

    def left(self) -> list[str]:
        """All that still stands of what it made."""
        jobs = [one["metadata"]["name"] for one in self.node.list("rayjobs", self.namespace)]
        return [*jobs, *self.held()]


def workers_in_pods(namespace: str) -> list[dict[str, Any]]:
    """What docs/features-and-model.md grants beside manifests/samples."""
    subject = service_account(namespace, ACCOUNT)
    return role_with_binding(namespace, "workers-in-pods", subject, documented_rules())


def learned(log: str) -> str:
    found = re.search(r"^learned (\w+)$", log, re.MULTILINE)
    assert found, log
    return found.group(1)


def pod(
    namespace: str, script: str, environment: Mapping[str, str], image: str, memory: str = ""
) -> dict[str, Any]:
    """
    Args:
        memory: what it, and each worker, may have at most; "" for all that there is.
    """
    command = f"mkdir -p $ROOT && exec python {SHARED}/{script}"
    container = {
        "name": "run",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash", "-c", command],
        "env": [
            {"name": "ROOT", "value": f"{SHARED}/{namespace}"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            *({"name": name, "value": value} for name, value in environment.items()),
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            **({"limits": {"memory": memory}} if memory else {}),
        },
        "volumeMounts": [{"name": "shared", "mountPath": SHARED}],
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    }

"""What a compiled pipeline says of its tasks' containers, and the pods that they are: pure.

The IR is that of Kubeflow Pipelines 2 (`PipelineSpec`, with kfp-kubernetes' `KubernetesExecutorConfig`); pods are made
of it as its own compiler makes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from trimtab.adapters.jobs.job import RESTRICTED

Json = Mapping[str, Any]

CONTAINER: Final = "main"
OWN_NAME: Final[Json] = {
    "name": "KFP_POD_NAME",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
}
"""What Kubeflow Pipelines' compiler gives each pod beside what the IR says."""
TMP: Final = "/tmp"
PROGRAM: Final = "_KFP_RUNTIME=true python3 -m"
"""What the IR's shell script ends in. Here it takes the shell's place: a pod's first process gets SIGTERM, and a shell
would not hand it on."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a task is tried again.

    Attributes:
        times: after the first.
        first_s, factor, most_s: pauses between: the first, how each grows, and their limit, seconds.
    """

    times: int = 0
    first_s: float = 0.0
    factor: float = 2.0
    most_s: float = 3600.0

    @classmethod
    def of(cls, said: Json) -> "Retry":
        """From an IR's retryPolicy.

        >>> Retry.of({"maxRetryCount": 3, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "60s"})
        Retry(times=3, first_s=30.0, factor=2.0, most_s=60.0)
        """
        return cls(
            int(said.get("maxRetryCount", 0)),
            float(said.get("backoffDuration", "0s").removesuffix("s")),
            float(said.get("backoffFactor", 2.0)),
            float(said.get("backoffMaxDuration", "3600s").removesuffix("s")),
        )

    @property
    def pauses_s(self) -> Sequence[float]:
        """
        >>> Retry(3, 30.0, 2.0, 100.0).pauses_s
        (30.0, 60.0, 100.0)
        """
        return tuple(min(self.first_s * self.factor**turn, self.most_s) for turn in range(self.times))


@dataclass(frozen=True, slots=True)
class Ir:
    """One compiled pipeline.

    Attributes:
        labels: of executors, by task.
        retries: by task.
        executors: what the IR says, by label.
        placed: what it says for Kubernetes, by label.
    """

    labels: Mapping[str, str]
    retries: Mapping[str, Retry]
    executors: Mapping[str, Json]
    placed: Mapping[str, Json]

    @classmethod
    def read(cls, file: Path) -> "Ir":
        spec, *others = yaml.safe_load_all(file.read_text(encoding="utf-8"))
        placed = others[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if others else {}
        components = spec["components"]
        dags = [spec["root"]["dag"], *(one["dag"] for one in components.values() if "dag" in one)]
        tasks = {name: task for dag in dags for name, task in dag["tasks"].items()}
        labels = {
            name: components[task["componentRef"]["name"]].get("executorLabel", "")
            for name, task in tasks.items()
        }
        return cls(
            {name: label for name, label in labels.items() if label},
            {name: Retry.of(task.get("retryPolicy", {})) for name, task in tasks.items()},
            spec["deploymentSpec"]["executors"],
            placed,
        )

    def pod(self, task: str, command: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
        """The spec of a task's pod: what the IR says, and no more rights than Pod Security's `restricted` grants.

        Args:
            command: with its arguments, placeholders filled in.
            variables: of who runs it; those of the IR come first.
        """
        label = self.labels[task]
        said, placed = self.executors[label]["container"], self.placed.get(label, {})
        program = said["command"]
        claims = {one["constant"]: one["mountPath"] for one in placed.get("pvcMount", ())}
        own = [*said.get("env", ()), *_secrets(placed.get("secretAsEnv", ()))]
        told = {one["name"] for one in own}
        container = {
            "name": CONTAINER,
            "image": said["image"],
            "command": [part.replace(PROGRAM, f"exec env {PROGRAM}") for part in program],
            "args": list(command[len(program) :]),
            "env": [
                OWN_NAME,
                *own,
                *({"name": name, "value": value} for name, value in variables.items() if name not in told),
            ],
            "resources": _resources(said["resources"]),
            "volumeMounts": [
                {"name": "tmp", "mountPath": TMP},
                *({"name": name, "mountPath": path} for name, path in claims.items()),
            ],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": dict(RESTRICTED),
        }
        return {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims),
            ],
            "nodeSelector": placed.get("nodeSelector", {}).get("labels", {}),
            "tolerations": placed.get("tolerations", []),
            "imagePullSecrets": [{"name": one["secretName"]} for one in placed.get("imagePullSecret", ())],
        }


def _secrets(placed: Sequence[Json]) -> Iterator[Json]:
    for secret in placed:
        for key in secret["keyToEnv"]:
            ref = {"name": secret["secretName"], "key": key["secretKey"]}
            yield {"name": key["envVar"], "valueFrom": {"secretKeyRef": ref}}


def _resources(said: Json) -> Json:
    limits = {"cpu": said["resourceCpuLimit"], "memory": said["resourceMemoryLimit"]}
    if accelerator := said.get("accelerator"):
        limits[accelerator["resourceType"]] = accelerator["resourceCount"]
    return {
        "limits": limits,
        "requests": {"cpu": said["resourceCpuRequest"], "memory": said["resourceMemoryRequest"]},
    }

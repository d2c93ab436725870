"""A compiled pipeline on a node: each task of its IR a pod of its own, as Kubeflow Pipelines makes it.

kfp's local engine orders the tasks, fills in placeholders, tries again and reads outputs; a pod does the work.
Artefacts lie on a volume, mounted in every pod under the very path that it has on this host.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from trimtab.adapters.jobs.pods import POD
from trimtab.adapters.kfp.warm import Task

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

Json = dict[str, Any]

CONTAINER: Final = "main"
OWN_NAME: Final[Json] = {
    "name": "KFP_POD_NAME",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
}
"""What Kubeflow Pipelines' compiler gives each pod beside what the IR says."""
ENDED: Final = ("Succeeded", "Failed")
WITHIN_S: Final = 180
LOST: Final = -1


@dataclass(frozen=True, slots=True)
class Ir:
    """What an IR says of its executors, by label."""

    components: Mapping[str, Json]
    executors: Mapping[str, Json]
    placed: Mapping[str, Json]

    @classmethod
    def read(cls, file: Path) -> "Ir":
        spec, platform = yaml.safe_load_all(file.read_text())
        placed = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        return cls(spec["components"], spec["deploymentSpec"]["executors"], placed)

    def label(self, task: str) -> str:
        label: str = self.components[f"comp-{task}"]["executorLabel"]
        return label

    def pod(self, label: str, command: Sequence[str]) -> Json:
        """The spec of an executor's pod: what the IR says, and no more rights than `restricted` grants.

        Args:
            command: with its arguments, placeholders filled in.
        """
        said, placed = self.executors[label]["container"], self.placed[label]
        program = said["command"]
        assert list(command[: len(program)]) == program, "there are placeholders in the arguments alone"
        claims = {one["constant"]: one["mountPath"] for one in placed.get("pvcMount", ())}
        container = {
            "name": CONTAINER,
            "image": said["image"],
            "command": program,
            "args": list(command[len(program) :]),
            "env": [OWN_NAME, *said.get("env", ()), *_secrets(placed.get("secretAsEnv", ()))],
            "resources": _resources(said["resources"]),
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},
                *({"name": name, "mountPath": path} for name, path in claims.items()),
            ],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
        return {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims),
            ],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "nodeSelector": placed.get("nodeSelector", {}).get("labels", {}),
            "tolerations": placed.get("tolerations", []),
            "imagePullSecrets": [{"name": one["secretName"]} for one in placed.get("imagePullSecret", ())],
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One try of a task.

    Attributes:
        executor: its label in the IR.
        given: kfp's ExecutorInput.
        pod: the object as it ended; {} where it was lost.
    """

    task: str
    executor: str
    given: Json
    pod: Json
    log: str

    @property
    def status(self) -> int:
        """The exit status."""
        return int(self._ended.get("exitCode", LOST))

    @property
    def last_words(self) -> str:
        """What a person sees of a failed pod without asking for its log."""
        return str(self._ended.get("message", ""))

    @property
    def container(self) -> Json:
        return dict(self.pod["spec"]["containers"][0])

    @property
    def output(self) -> Path:
        """Where it says what it made: executor_output.json."""
        return Path(self.given["outputs"]["outputFile"])

    @property
    def artefacts(self) -> Mapping[str, tuple[str, Path]]:
        """Those that it was to leave: type and place by name."""
        made = self.given["outputs"].get("artifacts", {})
        found = {name: one["artifacts"][0] for name, one in made.items()}
        return {name: (one["type"]["schemaTitle"], Path(one["uri"])) for name, one in found.items()}

    @property
    def _ended(self) -> Json:
        (state,) = self.pod.get("status", {}).get("containerStatuses", [{}])
        return dict(state.get("state", {}).get("terminated", {}))


class Steps:
    """Runs pipelines in a namespace.

    Args:
        account: the pods' service account.
        root: a folder of the volume, in which each run keeps its artefacts.
    """

    def __init__(self, node: "Node", namespace: str, account: str, root: Path) -> None:
        self._node, self._namespace, self._account, self._root = node, namespace, account, root
        self._numbers = itertools.count(1)

    def run(self, ir: Path, lost: str = "", **arguments: Any) -> list[Step]:
        """All that was tried, in order.

        Args:
            lost: a task whose first pod is deleted as soon as it runs.
        """
        from kfp import components, local
        from kfp.local import status, subprocess_task_handler

        plan, steps, losing = Ir.read(ir), list[Step](), {lost}

        class PodTaskHandler(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]  # kfp is untyped
            def validate_image(self, image: str) -> None:
                """kfp warns of images not named python."""

            def run(handler) -> Any:
                steps.append(self._step(plan, handler.full_command, losing))
                return status.Status.FAILURE if steps[-1].status else status.Status.SUCCESS

        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(self._root))
        pipeline = components.load_component_from_file(str(ir))
        with pytest.MonkeyPatch.context() as seam, suppress(RuntimeError):  # kfp's, of a task that failed
            seam.setattr(subprocess_task_handler, "SubprocessTaskHandler", PodTaskHandler)
            pipeline(**arguments)
        return steps

    def left(self) -> list[str]:
        """Names of the pods that stand there."""
        return [pod["metadata"]["name"] for pod in self._node.cluster.list(POD, self._namespace)]

    def _step(self, plan: Ir, command: Sequence[str], losing: set[str]) -> Step:
        from tests.cluster.kube.errors import ClusterToolFailed
        from tests.cluster.kube.poll import eventually

        task = Task.from_command(command, {})
        label, name = plan.label(task.name), f"{task.name}-{next(self._numbers)}"
        given = json.loads(task.executor_input)
        meta = {"name": name, "namespace": self._namespace}
        spec = {**plan.pod(label, command), "serviceAccountName": self._account}
        self._node.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        try:
            if task.name in losing:
                losing.remove(task.name)
                eventually(f"{name} runs", lambda: self._pod(name, "Running"), WITHIN_S)
                self._node.kubectl(
                    "delete", "pod", name, "-n", self._namespace, "--grace-period=0", "--force"
                )
                return Step(task.name, label, given, {}, "")
            pod = eventually(f"{name} has ended", lambda: self._pod(name, *ENDED), WITHIN_S)
        except ClusterToolFailed as error:
            raise AssertionError(f"{error}\n{self._node.explain(self._namespace)}") from error
        log = self._node.kubectl("logs", name, "-n", self._namespace)
        self._node.cluster.delete(POD, self._namespace, name)
        return Step(task.name, label, given, pod, log)

    def _pod(self, name: str, *phases: str) -> Json | None:
        found = self._node.cluster.read(POD, self._namespace, name)
        return dict(found) if found and found["status"].get("phase") in phases else None


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

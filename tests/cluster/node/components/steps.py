"""A compiled pipeline on a node: each task of its IR a pod of its own, as the operator's runner makes it.

Artefacts lie on a volume, mounted in every pod under the very path that it has on this host.
"""

import itertools
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trimtab.adapters.jobs.pods import POD
from trimtab.adapters.kfp.warm import Task
from trimtab.adapters.step_pods import Ir, PodTasks
from trimtab.adapters.step_pods.tasks import Failure

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node
    from trimtab.adapters.kubernetes.in_pod import PodApi

Json = dict[str, Any]

WITHIN_S: Final = 180
LOST: Final = -1


@dataclass(frozen=True, slots=True)
class Step:
    """One try of a task.

    Attributes:
        executor: its label in the IR.
        given: kfp's ExecutorInput.
        pod: the object as it ended; {} where it was lost.
        failure: as it was understood.
    """

    task: str
    executor: str
    given: Json
    pod: Json
    log: str
    failure: Failure | None = None

    @property
    def status(self) -> int:
        """The exit status."""
        return int(self._ended.get("exitCode", LOST))

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


@dataclass(slots=True, kw_only=True)
class Watched(PodTasks):
    """Remembers every try.

    Attributes:
        node: on which pods run.
        losing: tasks whose first pod is deleted as soon as it runs.
    """

    node: "Node"
    losing: set[str]
    steps: list[Step] = field(default_factory=list)

    def attempt(self, task: Task) -> Failure | None:
        if task.name in self.losing:
            self.losing.remove(task.name)
            threading.Thread(target=self._lose, args=[task.name], daemon=True).start()
        failure = PodTasks.attempt(self, task)
        log, given = self.folder / f"{task.name}.log", json.loads(task.executor_input)
        said = log.read_text() if log.exists() else ""
        name = f"{self.own['metadata']['name']}-{task.name}-{len(self.steps) + 1}"
        pod = self.node.cluster.read(POD, self.api.namespace, name) or {}
        self.steps.append(Step(task.name, self.ir.labels[task.name], given, dict(pod), said, failure))
        return failure

    def _lose(self, task: str) -> None:
        from tests.cluster.kube.poll import eventually

        def running() -> str | None:
            found = self.node.cluster.list(POD, self.api.namespace)
            mine = (pod for pod in found if f"-{task}-" in pod["metadata"]["name"])
            return next((p["metadata"]["name"] for p in mine if p["status"].get("phase") == "Running"), None)

        name = eventually(f"{task} runs", running, WITHIN_S)
        self.node.kubectl("delete", "pod", name, "-n", self.api.namespace, "--grace-period=0", "--force")


class Steps:
    """Runs pipelines in a namespace.

    Args:
        api: the API server, as the pods' service account calls it.
        account: that account.
        root: a folder of the volume, in which each run keeps its artefacts.
    """

    def __init__(self, node: "Node", api: "PodApi", account: str, root: Path) -> None:
        self._node, self._api, self._account, self._root = node, api, account, root
        self._numbers = itertools.count(1)

    def run(self, ir: Path, lost: str = "", **arguments: Any) -> list[Step]:
        """All that was tried, in order.

        Args:
            lost: a task whose first pod is deleted as soon as it runs.
        """
        from trimtab.adapters.kfp.host import execute

        name = f"run-{next(self._numbers)}"
        folder = self._root / name
        folder.mkdir()
        folder.chmod(0o777)
        tasks = Watched(
            self._api, Ir.read(ir), self._runner(name), folder, lambda _: None, node=self._node, losing={lost}
        )
        with suppress(RuntimeError):  # kfp's, of a task that failed
            execute(ir, arguments, folder, tasks.run)
        self._node.cluster.delete(POD, self._api.namespace, name)
        return tasks.steps

    def left(self) -> list[str]:
        """Names of the pods that stand there."""
        return [pod["metadata"]["name"] for pod in self._node.cluster.list(POD, self._api.namespace)]

    def _runner(self, name: str) -> Json:
        """Where a run would have its own pod: one that never starts."""
        spec = {
            "serviceAccountName": self._account,
            "schedulingGates": [{"name": "trimtab.dev/never"}],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "run",
                    "image": "nothing",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        }
        meta = {"name": name, "namespace": self._api.namespace}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        return dict(self._node.cluster.create(pod))

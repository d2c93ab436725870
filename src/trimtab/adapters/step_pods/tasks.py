"""Makes the pod of each task, waits for it, and tells what became of it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.children import MANAGED_BY
from trimtab.adapters.hindrance import refused
from trimtab.adapters.jobs import pods
from trimtab.adapters.jobs.job import RUN_LABEL
from trimtab.adapters.kfp.warm import (
    FAILURE,
    LOG_VARIABLE,
    PROGRESS,
    Emit,
    Task,
    lines_of,
    output_parameters,
    read_failure,
)
from trimtab.adapters.kubernetes.in_pod import CONFLICT, CREATED, NOT_FOUND, OK, PodApi
from trimtab.adapters.kubernetes.own_pod import own_name
from trimtab.adapters.step_pods.ir import Ir
from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.api.platform import Volume
from trimtab.ports.cluster import Object

STEPS_OF: Final = "trimtab.dev/steps-of"
"""Labels a step's pod: the run's Job."""
HANDED_ON: Final = ("TRIMTAB_RUN", "TRIMTAB_OWNER", "TRIMTAB_MLFLOW")
"""Who runs, and where it is registered, which the Job's pod was told by the operator."""
LOOK_S: Final = 1.0
STUCK_S: Final = 300.0
"""What does not start by itself gets so long: a registry may only be away. For room it waits as long as the Job may."""
SILENT_S: Final = 600.0
"""An API server may be away for so long while a step works."""
LOG_LINES: Final = 20_000
STEP: Final = pods.Words(
    image="environment.image of trimtab.yaml",
    memory="training.resources.memory of trimtab.yaml",
    size="training.resources of trimtab.yaml",
    named="platform.yaml names under secrets",
    mounts="pods.volume of platform.yaml",
)
RIGHTS: Final = "let the run's service account get, list, create and delete pods, and get pods/log"
REMEDIES: Final = (
    ("exceeded quota", f"lower {STEP.size}, or raise the namespace's ResourceQuota (kubectl describe resourcequota)"),
    ("violates PodSecurity", "say in spec.pipeline.job.securityContext what the namespace enforces, such as "
     "{runAsNonRoot: true}: steps have it too"),
    ("cannot create resource", RIGHTS),
)  # fmt: skip
"""What an API server says that refuses a step's pod, and what helps."""
AGAIN: Final = "the run's next try goes on with this step"


def own_pod(api: PodApi) -> Object:
    """
    Raises:
        InputRefused: this is no pod that may read itself.
    """
    name = own_name()
    status, body = api.call("GET", f"/api/v1/namespaces/{api.namespace}/pods/{name}")
    if status != OK:
        raise _not_read(f"the run's own pod as {name}", status, body)
    return body


def see_volume(own: Object, platform: str, volume: Volume | None, home: Path) -> None:
    """
    Raises:
        InputRefused: this pod does not keep its runs where the platform lets its steps find them.
    """
    said = f"spec.pipeline.job.platform: {platform}"
    if volume is None:
        raise InputRefused(
            f"{said}: platform.yaml gives its steps no volume",
            remedy=f"name the claim that holds .trimtab: pods: {{volume: {{claim: …, path: {home}}}}}",
        )
    named = f"pods.volume {volume.claim} at {volume.path}"
    if Path(volume.path) != home:
        raise InputRefused(
            f"{said}: its {named} is not where a run's Job keeps .trimtab",
            remedy=f"let it be mounted at {home}: pods.volume.path of platform.yaml",
        )
    claims = {
        one["name"]: one["persistentVolumeClaim"]["claimName"]
        for one in own["spec"].get("volumes") or []
        if "persistentVolumeClaim" in one
    }
    mounts = own["spec"]["containers"][0].get("volumeMounts") or []
    if not any(claims.get(one["name"]) == volume.claim and Path(one["mountPath"]) == home for one in mounts):
        raise InputRefused(
            f"{said}: its {named} is not mounted in the run's own pod",
            remedy=f"mount it there: spec.pipeline.job.volumes and volumeMounts, at {home}",
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one pod.

    Attributes:
        pod: as it ended; {} where it never did.
        failure: {type, sentence, remedy, status}; None where it ended well.
    """

    name: str
    pod: Object
    failure: Mapping[str, Any] | None = None


@dataclass(slots=True)
class PodTasks:
    """The tasks of one run, each in a pod after the run's own: its service account, its security context, its owner.

    Attributes:
        own: the run's pod.
        folder: of the run, on the volume: logs, and what steps say of their progress and failure.
        emit: is told of each task's start, progress and end.
    """

    api: PodApi
    ir: Ir
    own: Object
    folder: Path
    emit: Emit
    pause: Callable[[float], None] = time.sleep
    look_s: float = LOOK_S
    stuck_s: float = STUCK_S
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def clear(self) -> None:
        """End what an earlier pod of this run's Job left, and wait until it is gone: two must not write one table.

        Raises:
            SurroundingsFailed: the API server does not answer, or pods do not go.
            InputRefused: it refuses.
        """
        selector = f"{self._pods}?labelSelector={STEPS_OF.replace('/', '%2F')}%3D{self._job}"
        until = time.monotonic() + SILENT_S
        asked = set[str]()
        while True:
            status, body = self.api.call("GET", selector)
            if status != OK:
                raise _not_read("the run's steps", status, body)
            left = {one["metadata"]["name"] for one in body["items"]}
            if not left:
                return
            if time.monotonic() > until:
                raise SurroundingsFailed(
                    f"pods of an earlier try do not end: {', '.join(sorted(left))}", remedy=AGAIN
                )
            for name in left - asked:
                self.api.call("DELETE", f"{self._pods}/{name}")
            asked |= left
            self.pause(self.look_s)

    def run(self, task: Task) -> bool:
        """Run one task to its end, as often as its IR says where the surroundings failed; True when it succeeded."""
        self.emit({"event": "task_started", "task": task.name})
        started = time.monotonic()
        for pause_s in (*self.ir.retries[task.name].pauses_s, None):
            failure = self.attempt(task).failure
            if failure is None or pause_s is None or failure["status"] != ExitStatus.SURROUNDINGS:
                break
            self._say(task, f"it is tried again in {pause_s:g} s: {failure['sentence']}")
            self.pause(pause_s)
        ended: dict[str, Any] = {
            "event": "task_ended",
            "task": task.name,
            "seconds": round(time.monotonic() - started, 3),
            "succeeded": failure is None,
            "log": str(self._log(task)),
        }
        ended |= (
            {"outputs": output_parameters(task.executor_input)} if failure is None else {"failure": failure}
        )
        self.emit(ended)
        return failure is None

    def attempt(self, task: Task) -> Tried:
        """One pod, to its end."""
        name = f"{self.own['metadata']['name']}-{task.name}-{next(self._numbers)}"
        for ending in (".log", FAILURE, PROGRESS):
            self._log(task).with_suffix(ending).unlink(missing_ok=True)
        try:
            self._create(task, name)
            pod = self._ended(task, name)
        except TrimtabError as error:
            told = {"sentence": error.message, "remedy": error.remedy, "status": int(error.status)}
            return Tried(name, {}, {"type": type(error).__name__, **told})
        self._keep_log(task, name)
        return Tried(name, pod, None if pod["status"]["phase"] == "Succeeded" else self._failure(task, pod))

    def _create(self, task: Task, name: str) -> None:
        """
        Raises:
            InputRefused: an admission refuses it, other than a quota, which it waits for.
            SurroundingsFailed: the API server does not answer.
        """
        meta, spec = self.own["metadata"], self.own["spec"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        variables = {known: os.environ[known] for known in HANDED_ON if known in os.environ}
        variables[LOG_VARIABLE] = str(self._log(task))
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.api.namespace,
                "labels": {MANAGED_BY: "trimtab", STEPS_OF: self._job},
                "ownerReferences": [owner],
            },
            "spec": {
                **self.ir.pod(task.name, task.command, variables),
                "serviceAccountName": spec.get("serviceAccountName", "default"),
                "securityContext": spec.get("securityContext") or {},
            },
        }
        said = ""
        while True:
            status, body = self.api.call("POST", self._pods, pod)
            if status in (CREATED, CONFLICT):  # of an answer that was lost
                return
            because = refused(str(body.get("message", "")), REMEDIES)
            if "exceeded quota" not in because:
                sentence, _, remedy = because.rpartition("; ")
                raise InputRefused(sentence, remedy=remedy)
            if because != said:
                self._say(task, because)
            said = because
            self.pause(self.look_s)

    def _ended(self, task: Task, name: str) -> Object:
        """
        Raises:
            SurroundingsFailed: it is gone, or the API server does not answer for long.
            InputRefused: it cannot begin.
        """
        heard, said, stuck_s, answered = 0, "", 0.0, time.monotonic()
        while True:
            try:
                status, pod = self.api.call("GET", f"{self._pods}/{name}")
            except SurroundingsFailed:
                if time.monotonic() - answered > SILENT_S:
                    raise
                continue
            answered = time.monotonic()
            lines = lines_of(self._log(task).with_suffix(PROGRESS))
            for line in lines[heard:]:
                self._say(task, line)
            heard = len(lines)
            if status == NOT_FOUND:
                raise SurroundingsFailed(f"its pod {name} was deleted", remedy=AGAIN)
            if status != OK:
                raise _not_read(f"pod {name}", status, pod)
            if pods.over(pod):
                return pod
            because = "" if pods.running(pod) else pods.hindrance(pod, STEP)
            if because and because != said:
                self._say(task, because)
            said = because
            stuck_s = stuck_s + self.look_s if pods.stuck(pod) else 0.0
            if stuck_s > self.stuck_s:
                self.api.call("DELETE", f"{self._pods}/{name}")
                sentence, _, remedy = because.rpartition("; ")
                raise InputRefused(sentence, remedy=remedy)
            self.pause(self.look_s)

    def _keep_log(self, task: Task, name: str) -> None:
        with suppress(TrimtabError):  # what the step did is not lost for this
            status, text = self.api.text(f"{self._pods}/{name}/log?tailLines={LOG_LINES}")
            if status == OK:
                self._log(task).write_text(text, encoding="utf-8")

    def _failure(self, task: Task, pod: Object) -> Mapping[str, Any]:
        """As the step left it; else as its pod's status tells."""
        left = self._log(task).with_suffix(FAILURE)
        if left.exists():
            return read_failure(left, None)
        sentence, _, remedy = pods.failure(pod, STEP).rpartition("; ")
        said = {"sentence": sentence or remedy, "remedy": remedy if sentence else "see its log"}
        return {"type": "Died", **said, "status": int(ExitStatus.SURROUNDINGS)}

    def _say(self, task: Task, line: str) -> None:
        self.emit({"event": "task_progress", "task": task.name, "line": line})

    def _log(self, task: Task) -> Path:
        return self.folder / f"{task.name}.log"

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.api.namespace}/pods"

    @property
    def _job(self) -> str:
        """The run's Job; the pod itself where it is of none."""
        meta = self.own["metadata"]
        return str(meta.get("labels", {}).get(RUN_LABEL, meta["name"]))


def _not_read(what: str, status: int, body: Mapping[str, Any]) -> InputRefused:
    return InputRefused(
        f"the API server refuses to read {what} ({status}): {body.get('message', '')}", remedy=RIGHTS
    )

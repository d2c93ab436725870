"""Makes the pod of each task, waits for it, and tells what became of it."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.children import MANAGED_BY
from trimtab.adapters.hindrance import refused
from trimtab.adapters.jobs import pods
from trimtab.adapters.kfp.warm import (
    FAILURE_VARIABLE,
    LOG_VARIABLE,
    PROGRESS,
    Emit,
    Task,
    lines_of,
    output_parameters,
    told_failure,
)
from trimtab.adapters.kubernetes.in_pod import CONFLICT, CREATED, NOT_FOUND, OK, PodApi
from trimtab.adapters.step_pods.ir import Ir
from trimtab.adapters.step_pods.own import (
    AGAIN,
    LOOK_S,
    NODE,
    RIGHTS,
    STEPS_OF,
    asked,
    end_pod,
    job_of,
    pods_of,
)
from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Object

HANDED_ON: Final = ("TRIMTAB_RUN", "TRIMTAB_OWNER", "TRIMTAB_MLFLOW", "TRIMTAB_QUEUE")
"""Who runs, where it is registered and in which queue its workers wait, which the Job's pod was told."""
TERMINATION: Final = "/dev/termination-log"
SLOW_S: Final = 20.0
"""A pod that does not run by then is told of."""
STUCK_S: Final = 300.0
"""What does not start by itself gets so long: a registry may only be away. For room it waits as long as the Job may."""
SILENT_S: Final = 600.0
"""An API server that is away for so long is told of; a step that works is not ended for that."""
LAST_WORD_S: Final = 90.0
"""Before the run's time is over."""
END_S: Final = 120.0
"""Within which a pod that is ended is gone."""
POST_S: Final = 15.0
"""Between tries where a quota is full."""
LOG_LINES: Final = 20_000
STEP: Final = pods.Words(
    image="environment.image of trimtab.yaml",
    memory="training.resources.memory of trimtab.yaml",
    size="training.resources of trimtab.yaml",
    named="platform.yaml names under secrets",
    mounts="pods.volume of platform.yaml",
    placing="pods.nodeSelector and tolerations of platform.yaml",
)
REMEDIES: Final = (
    ("exceeded quota", f"lower {STEP.size}, or raise the namespace's ResourceQuota (kubectl describe resourcequota)"),
    ("violates PodSecurity", "say in spec.pipeline.job.securityContext what the namespace enforces, such as "
     "{runAsNonRoot: true}: steps have it too"),
    ("cannot create resource", RIGHTS),
)  # fmt: skip
"""What an API server says that refuses a step's pod, and what helps."""

Failure = Mapping[str, Any]
"""{type, sentence, remedy, status}."""


class Unended(SurroundingsFailed):
    """A pod may still work, so that no other must be made for its task."""


@dataclass(slots=True)
class PodTasks:
    """The tasks of one run, each in a pod after the run's own: its service account, its security context, its owner.

    Attributes:
        own: the run's pod.
        folder: of the run, on the volume: logs, and what steps say of their progress.
        emit: is told of each task's start, progress and end.
        until: when steps end whatever they do; None for never.
    """

    api: PodApi
    ir: Ir
    own: Object
    folder: Path
    emit: Emit
    until: datetime | None = None
    pause: Callable[[float], None] = time.sleep
    look_s: float = LOOK_S
    slow_s: float = SLOW_S
    stuck_s: float = STUCK_S
    silent_s: float = SILENT_S
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def run(self, task: Task) -> bool:
        """Run one task to its end, as often as its IR says where the surroundings failed; True when it succeeded."""
        self.emit({"event": "task_started", "task": task.name})
        started = time.monotonic()
        for pause_s in (*self.ir.retries[task.name].pauses_s, None):
            failure = self.attempt(task)
            if failure is None or pause_s is None or not _may_mend(failure):
                break
            self._say(task, f"it is tried again in {pause_s:g} s: {failure['sentence']}")
            self.pause(pause_s)
        self.emit(
            {
                "event": "task_ended",
                "task": task.name,
                "seconds": round(time.monotonic() - started, 3),
                "succeeded": failure is None,
                "log": str(self._log(task)),
                **({"failure": failure} if failure else {"outputs": output_parameters(task.executor_input)}),
            }
        )
        return failure is None

    def attempt(self, task: Task) -> Failure | None:
        """One pod, to its end; when this returns it works no more, unless the failure is `Unended`."""
        name = f"{self.own['metadata']['name']}-{task.name}-{next(self._numbers)}"
        for ending in (".log", PROGRESS):
            self._log(task).with_suffix(ending).unlink(missing_ok=True)
        try:
            if (refusal := self._create(task, name)) is not None:
                return told_failure(refusal)
            pod = self._ended(task, name)
        except TrimtabError as error:
            return told_failure(self._not_gone(name) or error)
        except BaseException:  # this process ends
            with suppress(TrimtabError):
                end_pod(self.api, name)
            raise
        self._keep_log(task, name)
        return None if pod["status"]["phase"] == "Succeeded" else _failure(pod)

    def _create(self, task: Task, name: str) -> InputRefused | None:
        """Why an admission refuses it; for room in a quota it waits.

        Raises:
            SurroundingsFailed: the API server does not answer.
        """
        meta, spec = self.own["metadata"], self.own["spec"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        variables = {known: os.environ[known] for known in HANDED_ON if known in os.environ}
        variables |= {LOG_VARIABLE: str(self._log(task)), FAILURE_VARIABLE: TERMINATION}
        pod: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": self.api.namespace,
                "labels": {MANAGED_BY: "trimtab", STEPS_OF: job_of(self.own)},
                "ownerReferences": [owner],
            },
            "spec": {
                **self.ir.pod(task.name, task.command, variables),
                "serviceAccountName": spec.get("serviceAccountName", "default"),
                "securityContext": spec.get("securityContext") or {},
            },
        }
        said, silent = "", time.monotonic()
        while True:
            pod["spec"] |= self._deadline()
            try:
                status, body = asked(self.api, "POST", pods_of(self.api), pod)
            except SurroundingsFailed:
                if time.monotonic() - silent > self.silent_s:
                    raise
                continue
            silent = time.monotonic()
            if status == CREATED or body.get("reason") == "AlreadyExists":  # of an answer that was lost
                return None
            because = refused(str(body.get("message", "")), REMEDIES)
            if "exceeded quota" in because and not self._late():
                if because != said:
                    self._say(task, because)
                said = because
                self.pause(min(POST_S, 10 * self.look_s))
            elif status == CONFLICT:  # of a quota that many count at once
                self.pause(self.look_s)
            else:
                sentence, _, remedy = because.rpartition("; ")
                return InputRefused(sentence, remedy=remedy)

    def _late(self) -> bool:
        """Whether what never began is to be told of now, for at its deadline the Job's pod goes without a word."""
        return self.until is not None and (self.until - datetime.now(UTC)).total_seconds() < LAST_WORD_S

    def _deadline(self) -> Mapping[str, int]:
        if self.until is None:
            return {}
        return {"activeDeadlineSeconds": max(1, int((self.until - datetime.now(UTC)).total_seconds()))}

    def _ended(self, task: Task, name: str) -> Object:
        """
        Raises:
            SurroundingsFailed: it is gone.
            InputRefused: it cannot begin, or has not by the end of the run's time.
        """
        heard, said, began = 0, "", time.monotonic()
        answered, well = began, began
        while True:
            pod, now = self._look(name), time.monotonic()
            heard = self._listen(task, heard)
            if pod is None:
                if now - answered > self.silent_s:
                    self._say(
                        task, f"the API server has not said for {self.silent_s:.0f} s how pod {name} does"
                    )
                    answered = now
                self.pause(self.look_s)
                continue
            answered = now
            if pods.over(pod):
                return pod
            well = well if pods.stuck(pod) else now
            waits = "" if pods.running(pod) else pods.hindrance(pod, STEP)
            if now - well > self.stuck_s or (waits and self._late()):
                sentence, _, remedy = waits.rpartition("; ")
                raise InputRefused(sentence, remedy=remedy)
            because = (waits or _away(pod)) if now - began > self.slow_s else ""
            if because and because != said:
                self._say(task, because)
            said = because
            self.pause(self.look_s)

    def _look(self, name: str) -> Object | None:
        """The pod; None where the API server does not say.

        Raises:
            SurroundingsFailed: there is none.
        """
        try:
            status, pod = self.api.call("GET", f"{pods_of(self.api)}/{name}")
        except SurroundingsFailed:
            return None
        if status == NOT_FOUND:
            raise SurroundingsFailed(f"its pod {name} was deleted", remedy=AGAIN)
        return pod if status == OK else None

    def _listen(self, task: Task, heard: int) -> int:
        """Tells of what the step says of its progress; how many lines that is by now."""
        lines = lines_of(self._log(task).with_suffix(PROGRESS))
        for line in lines[heard:]:
            self._say(task, line)
        return len(lines)

    def _not_gone(self, name: str) -> Unended | None:
        """End a pod that is given up; what is to be said where it may still work."""
        until = time.monotonic() + END_S
        with suppress(TrimtabError):
            end_pod(self.api, name)
            while time.monotonic() < until:
                status, _ = self.api.call("GET", f"{pods_of(self.api)}/{name}")
                if status == NOT_FOUND:
                    return None
                self.pause(self.look_s)
        return Unended(f"pod {name} may still work, and cannot be ended", remedy=NODE)

    def _keep_log(self, task: Task, name: str) -> None:
        with suppress(TrimtabError, OSError):  # what the step did is not lost for this
            status, text = self.api.text(f"{pods_of(self.api)}/{name}/log?tailLines={LOG_LINES}")
            if status == OK:
                self._log(task).write_text(text, encoding="utf-8")

    def _say(self, task: Task, line: str) -> None:
        self.emit({"event": "task_progress", "task": task.name, "line": line})

    def _log(self, task: Task) -> Path:
        return self.folder / f"{task.name}.log"


def _may_mend(failure: Failure) -> bool:
    return bool(failure["status"] == ExitStatus.SURROUNDINGS) and failure["type"] != Unended.__name__


def _away(pod: Object) -> str:
    """Whether its node does not answer: a step is ready whenever it runs, and is gone when its grace is over."""
    ends = pod["metadata"].get("deletionTimestamp")
    conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", ())}
    lost = pods.running(pod) and conditions.get("Ready") == "False"
    if lost or (ends and datetime.fromisoformat(ends) < datetime.now(UTC)):
        return f"its node does not answer; {NODE}"
    return ""


def _failure(pod: Object) -> Failure:
    """As the step left it; else as its pod's status tells."""
    with suppress(ValueError):
        left = json.loads(pods.last_words(pod))
        if isinstance(left, dict) and left.keys() >= {"type", "sentence", "remedy", "status"}:
            return left
    sentence, _, remedy = pods.failure(pod, STEP).rpartition("; ")
    said = {"sentence": sentence or remedy, "remedy": remedy if sentence else "see its log"}
    return {"type": "Died", **said, "status": int(ExitStatus.SURROUNDINGS)}

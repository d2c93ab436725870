"""Tasks of `kfp.local` as children of a warm fork server: 0.1 s a task instead of 14 s of imports.

kfp.local has no extension point for runners. The seam is the module attribute
`kfp.local.subprocess_task_handler.SubprocessTaskHandler`, which kfp reads at call time; `tasks_by` puts
another handler there for as long as its context lasts. A contract test fails when kfp moves the seam.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from trimtab.adapters.kfp.at_work import joined
from trimtab.api.errors import ExitStatus, TrimtabError

Emit = Callable[[Mapping[str, Any]], None]

LOG_VARIABLE = "TRIMTAB_TASK_LOG"
"""Tells a task where its log lies: in its run's folder, and beside it what it says of its progress."""
PROGRESS = ".progress"
FAILURE_VARIABLE = "TRIMTAB_TASK_FAILURE"
"""Tells a task in a pod of its own which file it leaves its failure in."""
LOOK_S = 0.2
LAST_WORD_S = 2.0

PROGRAM = "ephemeral_component.py"
"""Names the part of a lightweight component's command after which its source and arguments stand."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task as kfp.local wants it run.

    Attributes:
        function: the component's function.
        source: Python source of the component's module.
        executor_input: kfp's ExecutorInput, JSON.
        environment: variables that the IR sets.
        command: its container's, with arguments and placeholders filled in.
    """

    function: str
    source: str
    executor_input: str
    environment: Mapping[str, str]
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task's name in its graph: kfp calls the folder of its outputs so."""
        output_file = json.loads(self.executor_input)["outputs"]["outputFile"]
        return Path(output_file).parent.name

    @classmethod
    def from_command(cls, command: Sequence[str], environment: Mapping[str, str]) -> "Task":
        """Read a lightweight component's container command and arguments.

        Raises:
            ValueError: the command is not that of a lightweight Python component.
        """
        at = next((i for i, part in enumerate(command) if PROGRAM in part), None)
        if at is None:
            raise ValueError("not a lightweight Python component: " + " ".join(command)[:200])
        arguments = list(command[at + 2 :])
        named = dict(zip(arguments[::2], arguments[1::2], strict=False))
        return cls(
            function=named["--function_to_execute"],
            source=command[at + 1],
            executor_input=named["--executor_input"],
            environment=dict(environment),
            command=tuple(command),
        )


@contextlib.contextmanager
def tasks_by(run: Callable[[Task], bool]) -> Iterator[None]:
    """While it lasts, kfp.local has each task run by `run`, which says whether it succeeded."""
    from kfp.local import status, subprocess_task_handler

    class TaskHandler(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]  # kfp is untyped
        def validate_image(self, image: str) -> None:
            """kfp warns of images not named python; ours is built for these components."""

        def run(self) -> Any:
            succeeded = run(Task.from_command(self.full_command, self.env_vars))
            return status.Status.SUCCESS if succeeded else status.Status.FAILURE

    stock = subprocess_task_handler.SubprocessTaskHandler
    subprocess_task_handler.SubprocessTaskHandler = TaskHandler
    try:
        yield
    finally:
        subprocess_task_handler.SubprocessTaskHandler = stock


def run_task(context: ForkServerContext, task: Task, run_dir: Path, emit: Emit) -> bool:
    """Run one task to its end in a child of a warm fork server; True when it succeeded.

    Args:
        context: a forkserver context with its preload set.
        run_dir: where its raw log (`<task>.log`) and failure (`<task>.failure.json`) go.
        emit: is told of its start, its progress and its end.
    """
    log, failure = run_dir / f"{task.name}.log", run_dir / f"{task.name}.failure.json"
    progress = log.with_suffix(PROGRESS)
    failure.unlink(missing_ok=True)
    progress.unlink(missing_ok=True)
    emit({"event": "task_started", "task": task.name})
    started = time.monotonic()
    child = context.Process(target=execute, args=(task, str(log), str(failure)), name=task.name)
    child.start()
    said, over = 0, False
    while not over:
        child.join(LOOK_S)
        over = not child.is_alive()  # before the look, which is the last one then
        lines = lines_of(progress)
        for line in lines[said:]:
            emit({"event": "task_progress", "task": task.name, "line": line})
        said = len(lines)
    ended: dict[str, Any] = {
        "event": "task_ended",
        "task": task.name,
        "seconds": round(time.monotonic() - started, 3),
        "succeeded": child.exitcode == 0,
        "log": str(log),
    }
    if child.exitcode == 0:
        ended["outputs"] = output_parameters(task.executor_input)
    else:
        ended["failure"] = read_failure(failure, child.exitcode)
    emit(ended)
    return child.exitcode == 0


def lines_of(progress: Path) -> list[str]:
    """What a task has said so far, whole lines only."""
    try:
        text = progress.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[: text.rfind("\n") + 1].splitlines()


def output_parameters(executor_input: str) -> dict[str, Any]:
    """The parameters that a finished task wrote."""
    try:
        text = Path(json.loads(executor_input)["outputs"]["outputFile"]).read_text()
    except (OSError, KeyError):
        return {}
    return dict(json.loads(text).get("parameterValues", {}))


def read_failure(path: Path, exitcode: int | None) -> dict[str, Any]:
    if path.exists():
        return dict(json.loads(path.read_text()))
    how = (
        f"was killed by signal {-exitcode}" if exitcode and exitcode < 0 else f"ended with status {exitcode}"
    )
    return {"type": "Died", "sentence": f"the task's process {how}", "remedy": "see its log; -9 is often memory",
            "status": int(ExitStatus.SURROUNDINGS)}  # fmt: skip


def execute(task: Task, log: str, failure: str) -> None:
    """The child's whole life: its output goes to `log`, and what went wrong to `failure`."""
    end_with_host()
    redirect_output(log)
    os.environ.update(task.environment)
    os.environ[LOG_VARIABLE] = log
    try:
        with joined(Path(log).parent):
            run_component(task, Path(log).with_suffix(""))
    except BaseException as error:  # noqa: BLE001  the child has nobody above it to tell
        if not isinstance(error, TrimtabError):
            traceback.print_exc()
        leave_failure(failure, error)
        sys.exit(1)


def run_component(task: Task, folder: Path) -> None:
    """What `python -m kfp.dsl.executor_main` does, in this process."""
    from kfp.dsl import executor_main

    folder.mkdir(parents=True, exist_ok=True)
    program = folder / PROGRAM
    program.write_text(task.source)
    os.environ["_KFP_RUNTIME"] = "true"
    sys.argv = ["executor_main", "--component_module_path", str(program),
                "--executor_input", task.executor_input, "--function_to_execute", task.function]  # fmt: skip
    executor_main.executor_main()


def leave_failure(path: str, error: BaseException) -> None:
    Path(path).write_text(json.dumps(told_failure(error)))


def told_failure(error: BaseException) -> dict[str, Any]:
    """What went wrong, as the end of a task tells it: {type, sentence, remedy, status}."""
    name = type(error).__name__
    if isinstance(error, TrimtabError):
        said, remedy, status = error.message, error.remedy, error.status
    else:
        said, remedy, status = f"{name}: {error}", "the traceback is in the log", ExitStatus.BUG
    return {"type": name, "sentence": said, "remedy": remedy, "status": int(status)}


def redirect_output(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def end_with_host() -> None:
    """End this task when the host is gone, even by SIGKILL: a run that goes on must not meet what is left of it.

    The fork server does not do it: its children keep open the pipe by which it would notice. A task that takes SIGTERM
    for itself, as a training does, has two seconds to tell others of its end; any other is gone at once.
    """
    host = multiprocessing.parent_process()
    assert host is not None

    def watch() -> None:
        wait([host.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LAST_WORD_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="host", daemon=True).start()


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent goes (prctl(2), PR_SET_PDEATHSIG)."""
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM)

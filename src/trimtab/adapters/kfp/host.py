"""The pipeline host: one process that owns the fork server and runs pipelines one after another.

kfp.local keeps global configuration and patches print, and a fork server belongs to the process that
started it; so pipelines of one command all run here. Requests come as JSON lines on standard input,
events go as JSON lines to standard output; what kfp and tasks print goes to files of the run.

With `--pods` there is no fork server: each task runs in a pod of its own, after the one that this process is in.

    → {"ir": path, "arguments": {…}, "run_dir": path}
    ← {"event": "ready"} once, then per run: task_started, task_ended …, run_ended {succeeded, error}
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.kfp.at_work import joined
from trimtab.adapters.kfp.warm import Emit, Task, die_with_parent, redirect_output, run_task, tasks_by

PODS: Final = "--pods"
PRELOAD = (
    "kfp.dsl.executor_main",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "deltalake",
    "duckdb",
    "sklearn.ensemble",
    "skl2onnx",
    "onnxruntime",
    "trimtab.bootstrap.component",
    "trimtab.adapters.mlflow",
    "trimtab.adapters.claims",
)
"""Imported once in the fork server, so that no task pays for them. feast and torch only where a project asks."""


Tasks = Callable[[Path, Path, Emit], Callable[[Task], bool]]
"""Of an IR, a run's folder and who hears of them: what runs each task, and says whether it succeeded."""


class Host:
    """Runs compiled pipelines with kfp.local, each task as `tasks` has it.

    Args:
        events: file descriptor that takes them.
    """

    def __init__(self, tasks: Tasks, events: int) -> None:
        self._tasks, self._events = tasks, events

    def emit(self, event: Mapping[str, Any]) -> None:
        os.write(self._events, (json.dumps(event, default=str) + "\n").encode())

    def run(self, ir: str, arguments: Mapping[str, Any], run_dir: str) -> None:
        """One pipeline, to its end; its last event is run_ended."""
        folder = Path(run_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            redirect_output(str(folder / "kfp.log"))
            with joined(folder):
                execute(Path(ir), arguments, folder, self._tasks(Path(ir), folder, self.emit))
        except Exception as error:  # noqa: BLE001  kfp raises RuntimeError for a failed task and much else
            said = str(error) or type(error).__name__
            self.emit({"event": "run_ended", "succeeded": False, "error": said})
        else:
            self.emit({"event": "run_ended", "succeeded": True})


def execute(ir: Path, arguments: Mapping[str, Any], folder: Path, run: Callable[[Task], bool]) -> None:
    """One pipeline in this process, to its end.

    Args:
        folder: of the run; what it did before is not done again.

    Raises:
        RuntimeError: kfp's, where a task failed.
    """
    from kfp import components, local

    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "artifacts"),
        workspace_root=str(folder / "workspace"),
        enable_caching=True,
        cache_root=str(folder / "cache"),
    )
    pipeline = components.load_component_from_file(str(ir))
    keep_within_run(pipeline.component_spec.implementation.graph)  # `.pipeline_spec` is a copy
    with tasks_by(run):
        pipeline(**arguments)


def warm_tasks(preload: Sequence[str]) -> Tasks:
    """Children of a fork server, which has imported `preload` when this returns."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload])
    child = context.Process(target=nothing)
    child.start()
    child.join()
    return lambda _, folder, emit: lambda task: run_task(context, task, folder, emit)


def pod_tasks(ir: Path, folder: Path, emit: Emit) -> Callable[[Task], bool]:
    """Pods of this one's namespace."""
    from trimtab.adapters.kubernetes.in_pod import PodApi
    from trimtab.adapters.step_pods import Ir, PodTasks, ends_at, own_pod

    api = PodApi()
    own = own_pod(api)
    return PodTasks(api, Ir.read(ir), own, folder, emit, until=ends_at(api, own)).run


def keep_within_run(spec: Any) -> None:
    """Let a resumed run take the data that it began with: its cache is its own, so even ingest may be kept.

    On a cluster the cache is everybody's, so the IR says that ingest is never taken from it. And there a step is tried
    again, for a node may be lost; here what failed would fail again, and the person who waits is told at once. In pods
    who runs them looks to it.
    """
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for name, task in dag.tasks.items():
            task.ClearField("retry_policy")
            if name == "ingest":
                task.caching_options.enable_cache = True


def nothing() -> None:
    """A child that shows the fork server is up."""


def main() -> None:
    """Serve requests until standard input closes."""
    die_with_parent()
    events = os.dup(1)
    os.dup2(2, 1)
    extra = tuple(part for part in os.environ.get("TRIMTAB_PRELOAD", "").split(",") if part)
    if PODS in sys.argv:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # its pod ends with it
        tasks: Tasks = pod_tasks
    else:
        tasks = warm_tasks((*PRELOAD, *extra))
    host = Host(tasks, events)
    host.emit({"event": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        host.run(request["ir"], request["arguments"], request["run_dir"])


if __name__ == "__main__":
    main()

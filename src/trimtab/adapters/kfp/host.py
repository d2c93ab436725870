"""The pipeline host: one process that owns the fork server and runs pipelines one after another.

kfp.local keeps global configuration and patches print, and a fork server belongs to the process that
started it; so pipelines of one command all run here. Requests come as JSON lines on standard input,
events go as JSON lines to standard output; what kfp and tasks print goes to files of the run.

    → {"ir": path, "arguments": {…}, "run_dir": path}
    ← {"event": "ready"} once, then per run: task_started, task_ended …, run_ended {succeeded, error}
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

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


class Host:
    """Runs compiled pipelines with kfp.local on a warm fork server."""

    def __init__(self, preload: tuple[str, ...], events: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*preload])
        self._events = events

    def warm(self) -> None:
        """Start the fork server and wait until its imports are done."""
        child = self._context.Process(target=nothing)
        child.start()
        child.join()
        self.emit({"event": "ready"})

    def emit(self, event: Mapping[str, Any]) -> None:
        os.write(self._events, (json.dumps(event, default=str) + "\n").encode())

    def run(self, ir: str, arguments: Mapping[str, Any], run_dir: str) -> None:
        """One pipeline, to its end; its last event is run_ended."""
        folder = Path(run_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            execute(self._context, ir, arguments, folder, self.emit)
        except Exception as error:  # noqa: BLE001  kfp raises RuntimeError for a failed task and much else
            said = str(error) or type(error).__name__
            self.emit({"event": "run_ended", "succeeded": False, "error": said})
        else:
            self.emit({"event": "run_ended", "succeeded": True})


def execute(
    context: ForkServerContext, ir: str, arguments: Mapping[str, Any], folder: Path, emit: Any
) -> None:
    from kfp import components, local

    from trimtab.adapters.kfp.warm import redirect_output, warm_tasks

    redirect_output(str(folder / "kfp.log"))
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "artifacts"),
        workspace_root=str(folder / "workspace"),
        enable_caching=True,
        cache_root=str(folder / "cache"),
    )
    pipeline = components.load_component_from_file(ir)
    keep_within_run(pipeline.component_spec.implementation.graph)  # `.pipeline_spec` is a copy
    with warm_tasks(context, folder, emit):
        pipeline(**arguments)


def keep_within_run(spec: Any) -> None:
    """Let a resumed run take the data that it began with: its cache is its own, so even ingest may be kept.

    On a cluster the cache is everybody's, so the IR says that ingest is never taken from it. And there a step is tried
    again, for a node may be lost; here what failed would fail again, and the person who waits is told at once.
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
    from trimtab.adapters.kfp.warm import die_with_parent

    die_with_parent()
    events = os.dup(1)
    os.dup2(2, 1)
    extra = tuple(part for part in os.environ.get("TRIMTAB_PRELOAD", "").split(",") if part)
    host = Host((*PRELOAD, *extra), events)
    host.warm()
    for line in sys.stdin:
        request = json.loads(line)
        host.run(request["ir"], request["arguments"], request["run_dir"])


if __name__ == "__main__":
    main()

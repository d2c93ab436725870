"""The pod of a step: what its first process is."""

import os
import subprocess
from pathlib import Path

import pytest

from trimtab.adapters.step_pods.ir import Ir

PIPELINES = Path(__file__).parents[3] / "pipelines"


@pytest.mark.parametrize("file", sorted(PIPELINES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_program_of_each_task_is_its_first_process_to_which_sigterm_goes(
    file: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\necho "$_KFP_RUNTIME $$ $*"\n')
    python.chmod(0o755)
    ir = Ir.read(file)
    for task, label in ir.labels.items():
        container = ir.pod(task, ir.executors[label]["container"]["command"], {})["containers"][0]
        started = subprocess.Popen(
            container["command"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        )
        said, _ = started.communicate(timeout=120)
        assert said.startswith(f"true {started.pid} -m kfp.dsl.executor_main"), (task, said)

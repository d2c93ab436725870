"""Row 11: what running a task costs beyond its work: the warm host beside kfp.local as it comes.

A pipeline of ten tasks that do nothing, compiled once. kfp.local's SubprocessRunner without a virtual environment
starts an interpreter a task; with one (its default) it makes an environment and installs kfp a task, here measured
on one task. The warm host forks a process a task from a server that has the project's libraries loaded.

    python benchmarks/tasks.py [--quick]
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beside import table, times_over, versions

from trimtab.adapters.kfp.client import PipelineHost

PIPELINE = """
import sys
from kfp import compiler, dsl

@dsl.component(base_image="python:3.11", install_kfp_package=INSTALL)
def nothing(before: str) -> str:
    return before

@dsl.pipeline(name="ten-tasks")
def pipeline(start: str = "x"):
    said = start
    for _ in range(int(sys.argv[2])):
        said = nothing(before=said).output

if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, sys.argv[1])
"""
STOCK = """
import sys, time
from kfp import local
local.init(local.SubprocessRunner(use_venv=VENV), pipeline_root=sys.argv[3])
from compile import pipeline
began = time.perf_counter()
pipeline(start="x")
print("TOOK", time.perf_counter() - began)
"""


def stock(folder: Path, tasks: int, venv: bool) -> float | None:
    """Seconds a task; None when it did not end well."""
    (folder / "compile.py").write_text(PIPELINE.replace("INSTALL", str(venv)))
    (folder / "stock.py").write_text(STOCK.replace("VENV", str(venv)))
    command = [sys.executable, "stock.py", "unused", str(tasks), str(folder / "outputs")]
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return None
    said = [line for line in ended.stdout.splitlines() if line.startswith("TOOK ")]
    if ended.returncode or not said:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"not measured: SubprocessRunner(use_venv={venv}): {reason}", file=sys.stderr)
        return None
    return float(said[-1].split()[1]) / tasks


def warm(folder: Path, tasks: int, runs: int) -> tuple[float, float, str]:
    """(seconds a task, seconds until the host is warm, digest of the IR)."""
    (folder / "compile.py").write_text(PIPELINE.replace("INSTALL", "False"))
    ir = folder / "nothing.yaml"
    subprocess.run(
        [sys.executable, "compile.py", str(ir), str(tasks)], cwd=folder, check=True, capture_output=True
    )
    began = time.perf_counter()
    taken = []
    with PipelineHost(folder / "host.log") as host:
        host.wait_ready()
        ready = time.perf_counter() - began
        for run in range(runs + 1):
            began = time.perf_counter()
            ended = host.run(ir, {"start": "x"}, folder / f"run-{run}", lambda _: None)
            assert ended["succeeded"], ended
            taken.append((time.perf_counter() - began) / tasks)
    return min(taken[1:]), ready, hashlib.sha256(ir.read_bytes()).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    tasks = 3 if quick else 10
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ours, ready, digest = warm(folder, tasks, runs=1 if quick else 3)
        plain = stock(folder, tasks, venv=False)
        default = stock(folder, 1, venv=True)
    shown = {
        "kfp.local, with a virtual environment": default,
        "kfp.local, without one": plain,
        "the warm host": ours,
    }
    rows = [
        [name, "not measured" if s is None else f"{s:.3f}", "" if s is ours else times_over(s, ours)]
        for name, s in shown.items()
    ]
    print(table(["runner", "s a task", "over ours"], rows))
    print(f"\nTarget: at most 1/8. The host is warm after {ready:.1f} s, once a command.\n")
    print(f"{versions('kfp')}; pipeline {digest}")


if __name__ == "__main__":
    main()

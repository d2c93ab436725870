"""What the benchmarks share: how time is taken, how a peer runs in an environment of its own, what a table says.

A peer never enters trimtab's environment: `isolated` runs its code under `uv run --isolated`, and answers None
with the reason on standard error when it does not install or does not run, so that a table says "not measured".
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PEER_TIMEOUT_S = 900


def seconds(act: Callable[[], object], rounds: int = 7, least_s: float = 0.05) -> float:
    """Least CPU seconds of a call over rounds of at least `least_s` each, after one call that is not counted.

    CPU time and the least of it: what other processes do to a shared machine is not what is measured.
    """
    act()
    began = time.process_time()
    act()
    times = max(1, round(least_s / max(time.process_time() - began, 1e-9)))
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            act()
        taken.append((time.process_time() - began) / times)
    return min(taken)


def isolated(packages: Sequence[str], code: str, arguments: Sequence[str] = ()) -> dict[str, Any] | None:
    """What the code printed as its last line, JSON, in a fresh environment with these packages; None if it failed."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        print(f"not measured: {packages[0]}: there is no uv", file=sys.stderr)
        return None
    command = [uv, "run", "-q", "--isolated", "--no-project", "--python", sys.executable]
    command += [part for package in packages for part in ("--with", package)]
    try:
        ended = subprocess.run(
            [*command, "python", "-c", code, *arguments],
            capture_output=True,
            text=True,
            timeout=PEER_TIMEOUT_S,
            env={**os.environ, "DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True", "FEAST_USAGE": "False"},
        )
    except subprocess.TimeoutExpired:
        print(f"not measured: {packages[0]}: no answer in {PEER_TIMEOUT_S} s", file=sys.stderr)
        return None
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"not measured: {packages[0]}: {reason}", file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return answer


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def times_over(peer: float | None, ours: float) -> str:
    """How many times our cost the peer's is."""
    if peer is None:
        return "not measured"
    ratio = peer / ours
    return f"{ratio:.3g}x" if ratio < 1 else f"{ratio:,.1f}x"


def versions(*names: str) -> str:
    """Versions of installed distributions."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{n} {metadata.version(n)}" for n in names)])

"""One project over a small table, run for real once a session by the command that a user types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIMTAB = Path(sys.executable).parent / "trimtab"
ROWS = 600


def trimtab(folder, *arguments, status=0, timeout=900):
    """The command in a folder; its output, once the exit status is what it should be."""
    done = subprocess.run(
        [str(TRIMTAB), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"},
    )
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def commit(folder):
    """A checkout of the folder's files; its commit."""

    def git(*arguments):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "as it runs")
    return git("rev-parse", "HEAD")


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """A csv with a key, a naive time, another time, nulls, spaces and umlauts, a word as the label."""
    import numpy as np

    draw = np.random.default_rng(7)
    size, visits = draw.normal(170, 10, ROWS), draw.integers(0, 40, ROWS)
    leaves = draw.random(ROWS) < 1 / (1 + np.exp((visits - 15) / 5))
    times = np.datetime64("2024-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(7, "h")
    lines = ["Kunde,Größe (cm),visits,region,letzter Besuch,seen,left"]
    for i in range(ROWS):
        missing = "?" if i % 11 == 0 else f"{size[i]:.1f}"
        at = str(times[i]).replace("T", " ")
        lines.append(
            f"k{i:04d},{missing},{visits[i]},{'öst' if i % 3 else 'west'},{at},{at},{'yes' if leaves[i] else 'no'}"
        )
    path = tmp_path_factory.mktemp("table") / "customers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def project(table, tmp_path_factory):
    """The project after `init`, `check`, `git commit` and `run`; with what `run` printed."""
    folder = tmp_path_factory.mktemp("made")
    trimtab(folder, "init", "churn", "--from", str(table), "--label", "left", "--time", "seen")
    (folder / "churn/uv.lock").write_text("version = 1\n")
    trimtab(folder / "churn", "check")
    commit(folder / "churn")
    return folder / "churn", trimtab(folder / "churn", "run").stdout

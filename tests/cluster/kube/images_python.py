"""Layers with Python packages: what is locked, and the project's own wheel on top of it.

They are installed by uv into /opt/site, for the Python of the base layer; PYTHONPATH leads there.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.images_oci import Layer, Layers, tree_digest

ROOT = Path(__file__).parents[3]
SITE = Path("opt/site")
ENV = ("PYTHONPATH=/opt/site", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "HOME=/tmp")
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian's Python by release."""


def packages(layers: Layers, name: str, extras: Sequence[str], release: str) -> Layer:
    """What trimtab with these extras needs, in the versions of requirements.lock, without trimtab."""
    return installed(layers, name, requirements(extras), release)


def installed(
    layers: Layers, name: str, wanted: Sequence[str], release: str, more: Sequence[str] = ()
) -> Layer:
    """Packages by their requirements, within requirements.lock.

    Args:
        more: further words for `uv pip install`: `--no-deps`.
    """
    python, lock = PYTHONS[release], ROOT / "requirements.lock"

    def fill(root: Path) -> None:
        command = [uv(), "pip", "install", "-q", "--target", str(root / SITE), "--python-version", python]
        command += ["--only-binary", ":all:", "-c", str(lock), "--python", sys.executable, *more, *wanted]
        run(command)
        compiled = root / SITE
        for path in [*compiled.glob("**/tests"), *compiled.glob("**/__pycache__")]:
            _remove(path)

    return layers.get(name, "\n".join([python, *more, *sorted(wanted), lock.read_text()]), fill)


def requirements(extras: Sequence[str]) -> list[str]:
    """The core's requirements and those of the extras, an extra that names another followed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found, pending = list(project["dependencies"]), list(extras)
    while pending:
        for requirement in project["optional-dependencies"][pending.pop()]:
            if requirement.startswith("trimtab["):
                pending += requirement.removeprefix("trimtab[").rstrip("]").split(",")
            else:
                found.append(requirement)
    return sorted(set(found))


def project(layers: Layers) -> Layer:
    """trimtab as its wheel has it, and `operators` beside it."""
    sources = [ROOT / name for name in ("src", "components", "pipelines", "examples/flights", "operators")]
    key = tree_digest(*sources) + (ROOT / "pyproject.toml").read_text()
    return layers.get("project", key, _build)


def _build(root: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch])
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as content:
            content.extractall(root / SITE)
    for path in sorted((ROOT / "operators").rglob("*.py")):
        copy = root / SITE / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def run(command: Sequence[str]) -> None:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        raise ClusterToolFailed(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}")


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()

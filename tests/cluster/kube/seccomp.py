"""libseccomp for runc's build, out of Debian's packages, unpacked into the cache; nothing is installed."""

import subprocess
import tempfile
from pathlib import Path

from tests.cluster.kube.cache import home
from tests.cluster.kube.errors import ClusterToolFailed

PACKAGES = ("libseccomp2", "libseccomp-dev")


def environment() -> dict[str, str]:
    """What a cgo build against the unpacked archive needs: a pkg-config that knows this one library."""
    root = unpacked()
    answer = root / "pkg-config"
    archive = next(root.glob("usr/lib/*/libseccomp.a"))
    answer.write_text(
        f'#!/bin/sh\ncase "$*" in *--cflags*) echo -I{root}/usr/include;; *--libs*) echo {archive};;'
        " *) echo 2.5.4;; esac\n"
    )
    answer.chmod(0o755)
    return {
        "CGO_ENABLED": "1",
        "PKG_CONFIG": str(answer),
        "CGO_LDFLAGS_ALLOW": r".*libseccomp\.a",
    }


def unpacked() -> Path:
    place = home() / "seccomp"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            root = Path(scratch) / "root"
            run("apt-get", "download", *PACKAGES, cwd=Path(scratch))
            for package in Path(scratch).glob("*.deb"):
                run("dpkg", "-x", str(package), str(root), cwd=Path(scratch))
            root.rename(place)
    return place


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClusterToolFailed(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}",
            remedy="runc needs libseccomp: this tool takes it from Debian's or Ubuntu's packages",
        )

"""The lowest layer of all images here: Debian's minimal system with its Python.

It is the distribution of this machine, fetched from the mirror that this machine's apt uses.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.kube.images_oci import Layer, Layers

PACKAGES = ("python3", "ca-certificates", "libgomp1")
USELESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


class NoBase(Exception):
    """The base system could not be unpacked."""


def base(layers: Layers, unpacked: Path) -> Layer:
    """Debian with Python, as a layer.

    Args:
        unpacked: where Debian's packages lie that are used without being installed (debootstrap).
    """
    suite = release()
    return layers.get("base", f"{suite} {' '.join(PACKAGES)}", lambda root: _fill(root, suite, unpacked))


def release() -> str:
    """The code name of the Debian release that this machine runs: 'bookworm'."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise NoBase("this machine does not say which Debian release it runs (/etc/os-release)")


def mirror() -> list[str]:
    """The address that apt takes packages from, or nothing: debootstrap knows one itself."""
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        for line in path.read_text().splitlines() if path.is_file() else ():
            word = next((word for word in line.split() if word.startswith(("http://", "https://"))), None)
            if word and line.startswith(("deb ", "URIs:")):
                return [word]
    return []


def _fill(root: Path, suite: str, unpacked: Path) -> None:
    command = shutil.which("debootstrap") or str(unpacked / "usr/sbin/debootstrap")
    scripts = unpacked / "usr/share/debootstrap"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if scripts.is_dir() and command.startswith(str(unpacked)):
        env["DEBOOTSTRAP_DIR"] = str(scripts)
    # a mount namespace of its own: what debootstrap mounts goes with it
    command_line = [
        command,
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        suite,
        str(root),
        *mirror(),
    ]
    made = subprocess.run(
        ["unshare", "-m", *command_line],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode:
        raise NoBase(f"debootstrap of {suite} failed:\n{made.stdout[-2000:]}")
    for path in USELESS:
        shutil.rmtree(root / path, ignore_errors=True)
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").touch()
    (root / "tmp").chmod(0o1777)

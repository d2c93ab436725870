"""Programs of Debian's packages that a node calls, unpacked into the cache; nothing is installed.

nft for kube-proxy, iptables for the kubelet and the CNI plugins, both it and ipset for kube-router, debootstrap for
the base image.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from tests.cluster.kube.cache import home, locked
from tests.cluster.kube.seccomp import run

PACKAGES = (
    "nftables", "iptables", "ipset", "conntrack", "debootstrap",
    "libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0",
    "libnftnl11", "libnftables1", "libipset13", "libedit2", "libbsd0", "libmd0", "libjansson4", "libtinfo6",
)  # fmt: skip
WRAPPED = {
    "nft": "nft",
    "ipset": "ipset",
    "conntrack": "conntrack",
    **{
        f"{family}{verb}": f"{family}-nft{verb}"
        for family in ("iptables", "ip6tables")
        for verb in ("", "-save", "-restore")
    },
}
"""The name that is called, and the program that it is."""


def unpacked() -> Path:
    """The root that the packages are unpacked under."""
    named = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    place = home() / f"debian-{named}"
    if not place.exists():
        with locked("debian"):
            if not place.exists():
                _unpack(place)
    return place


def wrappers(folder: Path) -> Path:
    """A folder for PATH with a script a program, which finds its libraries under `unpacked`."""
    root = unpacked()
    (libraries,) = {path.parent for path in root.glob("usr/lib/*/libnftables.so.1")}
    folder.mkdir(exist_ok=True)
    for name, program in WRAPPED.items():
        script = folder / name
        script.write_text(
            f"#!/bin/sh\nLD_LIBRARY_PATH={libraries} XTABLES_LIBDIR={libraries}/xtables "
            f'exec {root}/usr/sbin/{program} "$@"\n'
        )
        script.chmod(0o755)
    return folder


def _unpack(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".debian-") as scratch:
        root = Path(scratch) / "root"
        os.chmod(scratch, 0o755)  # apt's own user writes here
        run("apt-get", "download", *PACKAGES, cwd=Path(scratch))
        for package in sorted(Path(scratch).glob("*.deb")):
            run("dpkg", "-x", str(package), str(root), cwd=Path(scratch))
        root.rename(place)

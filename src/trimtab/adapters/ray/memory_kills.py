"""Processes that the kernel killed for want of memory, by a count of its own that outlives them.

A container whose limit is reached is ended whole, and says so, only under version 2 of control groups. Under version 1,
and where Ray's node outlives its workers, one process goes without a word: this count alone tells why.
"""

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

NOTES: Final = "kills-"
COUNT: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
MEMBERSHIP: Final = Path("/proc/self/cgroup")
MOUNT: Final = Path("/sys/fs/cgroup")


def note(folder: Path, who: str) -> None:
    """A process that begins writes down its control group's count, and where that is."""
    with suppress(OSError), (folder / f"{NOTES}{who}").open("a", encoding="utf-8") as file:
        file.write(f"{socket.gethostname()} {memory_kills()}\n")


def noted(folder: Path) -> Mapping[str, int]:
    """How many were killed on each host since the first of its processes began, without those where none was."""
    counts: dict[str, list[int]] = {}
    for file in folder.glob(f"{NOTES}*"):
        for line in file.read_text(encoding="utf-8").splitlines():
            host, _, count = line.rpartition(" ")
            counts.setdefault(host, []).append(int(count))
    return {host: more for host, told in sorted(counts.items()) if (more := max(told) - min(told))}


def in_words(noted: Mapping[str, int]) -> str:
    """
    Args:
        noted: a count for each host.
    """
    each = (f"{count} {'process' if count == 1 else 'processes'} on {host}" for host, count in noted.items())
    return f"out of memory: the kernel killed {', '.join(each)}"


def memory_kills(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> int:
    """Processes of this one's control group that were killed at its limit; 0 too where the kernel tells none.

    `memory.events` of version 2, `memory.oom_control` of version 1 (Documentation/admin-guide/cgroup-v2.rst and
    cgroup-v1/memory.rst of Linux). A container sees its own group as the root of the mount.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, name = mount, "memory.events"
        elif "memory" in controllers.split(","):
            root, name = mount / controllers, "memory.oom_control"
        else:
            continue
        for folder in (root / path.lstrip("/"), root):
            with suppress(OSError):
                if found := COUNT.search((folder / name).read_text(encoding="utf-8")):
                    return int(found[1])
    return 0

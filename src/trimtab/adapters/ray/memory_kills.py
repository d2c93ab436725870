"""Processes that were killed for want of memory, by the kernel or by Ray.

Ray's node looks at its memory four times a second, and kills what has most of it where the kernel was not quicker. Its
table of processes tells, where the others' errors hide it. The kernel's own count tells where nothing else does: a
container whose limit is reached is ended whole, and says so, only under version 2 of control groups. Under version 1,
and where Ray's node outlives its workers, one process goes without a word.
"""

import re
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
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


def by_ray() -> Mapping[str, int]:
    """How many Ray's own nodes killed, by address, for as long as it knows of them: its table of processes."""
    from ray._private.state import state
    from ray.core.generated import common_pb2, gcs_pb2

    parse, why = gcs_pb2.WorkerTableData.FromString, common_pb2.NODE_OUT_OF_MEMORY  # type: ignore[attr-defined]  # made
    table = map(parse, state._connect_and_get_accessor().get_worker_table())
    return Counter(one.worker_address.ip_address for one in table if one.exit_type == why)


def told(folder: Path) -> str:
    """Of both, while Ray is connected; "" if none was killed."""
    kernel, ray = noted(folder), by_ray()
    return in_words(kernel, ray) if kernel or ray else ""


def in_words(noted: Mapping[str, int], by_ray: Mapping[str, int] = MappingProxyType({})) -> str:
    """
    Args:
        noted, by_ray: a count for each host; at least one of them.
    """
    said = [
        f"{who} killed {_listed(kills)}" for who, kills in (("the kernel", noted), ("Ray", by_ray)) if kills
    ]
    return f"out of memory: {'; '.join(said)}"


def _listed(kills: Mapping[str, int]) -> str:
    each = (f"{count} {'process' if count == 1 else 'processes'} on {host}" for host, count in kills.items())
    return ", ".join(each)


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

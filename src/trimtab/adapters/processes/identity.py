"""Which process a process id means: ids are reused, (id, start time, boot) is not.

Signals go through a pidfd, which pins the process between the look and the signal.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for ever.

    Attributes:
        pid: process id.
        started: start time in clock ticks since boot, field 22 of /proc/<pid>/stat.
        boot: the kernel's id of this boot.
    """

    pid: int
    started: int
    boot: str


def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Who has this process id now; None if nobody, or only a zombie waits to be reaped."""
    fields = _stat(pid)
    if fields is None or fields[0] == "Z":
        return None
    return Identity(pid, int(fields[19]), boot_id())


def is_alive(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; False if it is gone, whoever may have its id now."""
    try:
        pinned = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(pinned, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pinned)
    return True


def marked(variable: str, value: str) -> Iterator[Identity]:
    """This user's processes that were started with `variable=value` in their environment."""
    wanted = f"{variable}={value}".encode()
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0") and (identity := identify(int(folder.name))):
                yield identity


def session_memory_mb(leader: int) -> float:
    """Proportional set size of all processes in the leader's session, in MB."""
    total_kb = 0
    for folder in PROC.iterdir():
        if folder.name.isdecimal() and (fields := _stat(int(folder.name))) and int(fields[3]) == leader:
            try:
                lines = (folder / "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1024


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat after the command name: state, parent, group, session, …"""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()

"""Who was started, in a file: how the next supervisor finds what a killed one left behind.

A process is ended only if it is exactly the recorded one, or carries the plane's mark, a random word in its
environment, which children of children inherit.
"""

import json
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trimtab.adapters.processes.identity import Identity, is_alive, marked, send_signal

MARK = "TRIMTAB_PLANE"
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Record:
    """The plane's memory.

    Attributes:
        mark: value of the environment variable that all its processes carry.
        children: last process of each child, by name.
        ports: last port of each child, by name.
    """

    mark: str = field(default_factory=lambda: secrets.token_hex(16))
    children: Mapping[str, Identity] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)


def read(path: Path) -> Record:
    """What the last supervisor wrote; a fresh record if there was none, or it cannot be read."""
    try:
        held = json.loads(path.read_text())
        children = {name: Identity(**identity) for name, identity in held["children"].items()}
        return Record(held["mark"], children, held["ports"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Record()


def write(path: Path, record: Record) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w") as file:
        json.dump(asdict(record), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def sweep(record: Record, within_s: float) -> list[int]:
    """End what is left of a former supervisor's children: SIGTERM, then SIGKILL after `within_s`.

    Returns the process ids that were ended.
    """
    left = _left(record)
    for identity in left:
        send_signal(identity, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while (alive := _left(record)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for identity in alive:
        send_signal(identity, signal.SIGKILL)
    while any(is_alive(identity) for identity in alive):
        time.sleep(POLL_S)
    return sorted({identity.pid for identity in {*left, *alive}})


def _left(record: Record) -> set[Identity]:
    return {i for i in record.children.values() if is_alive(i)} | set(marked(MARK, record.mark))

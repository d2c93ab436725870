"""What a child process is told to be, and what is seen of it; both travel as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

PORT = "{port}"
"""In an argument: replaced by the port that was reserved for the child."""


class ChildState(Enum):
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep running.

    Attributes:
        name: unique in its plane; names the log file too.
        argv: command; `{port}` stands for the reserved port.
        wants_port: None for no port, 0 for one that the kernel chooses (the last one again, if it is free).
        ready_path: GET on the port answers 2xx once ready; None: ready as soon as it runs.
        ready_host: Host header of that request.
        start_within_s: after this a child that never got ready is called not ready.
        drain_s: time between SIGTERM and SIGKILL.
        ends_last: when all end, after the others, which need it while they drain.
        labels: what it is to others: kind, revision, model.
    """

    name: str
    argv: tuple[str, ...]
    wants_port: int | None = None
    ready_path: str | None = None
    ready_host: str = "127.0.0.1"
    start_within_s: float = 60.0
    drain_s: float = 10.0
    ends_last: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(held: dict[str, Any]) -> "ChildSpec":
        return ChildSpec(**{**held, "argv": tuple(held["argv"])})


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """A child as seen now.

    Attributes:
        since_s: seconds in this state.
        restarts: times that it died and was started again.
        memory_mb: proportional set size of its session; None where nobody asked or nothing runs.
    """

    name: str
    labels: Mapping[str, str]
    state: ChildState
    since_s: float
    restarts: int
    port: int | None
    pid: int | None
    message: str = ""
    memory_mb: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state.value}

    @staticmethod
    def from_json(held: dict[str, Any]) -> "ChildStatus":
        return ChildStatus(**{**held, "state": ChildState(held["state"])})

"""Everything outside the loop: its faults can be made to order, and it counts every write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.unit.control.killing import Kill
from tests.unit.control.ports import Gateway, Registry, Runs, Servers
from tests.unit.control.seen import Evidence
from tests.unit.control.set_clock import SetClock
from trimtab.adapters.state import SqliteState
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.gateway import Sent, Split
from trimtab.ports.profiles import Unprofiled
from trimtab.ports.registry import ModelVersion
from trimtab.ports.runs import Run
from trimtab.ports.servers import Server, ServerState
from trimtab.ports.state import Act
from trimtab.rollout import revision_id
from trimtab.rollout.rejection import standing

START = datetime(2013, 4, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Model:
    """How a revision behaves.

    Attributes:
        loss: mean log loss a row, above that of climatology.
        noise: of the loss of a day.
        errors: share of requests that fail.
        slow: factor of its latency.
        ready: whether its server ever answers.
    """

    loss: float = 0.0
    noise: float = 0.004
    errors: float = 0.0
    slow: float = 1.0
    ready: bool = True
    nan: bool = False


@dataclass
class World:
    """Everything outside the loop."""

    requests_an_hour: int = 200
    clock: SetClock = field(default_factory=lambda: SetClock(START))
    state: SqliteState = field(default_factory=lambda: SqliteState(Path(":memory:")))
    models: dict[str, Model] = field(default_factory=dict)
    versions: list[ModelVersion] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    servers_up: dict[str, Server] = field(default_factory=dict)
    split_now: Split | None = None
    splits: list[tuple[datetime, Split]] = field(default_factory=list)
    flowed: list[tuple[datetime, datetime, Split]] = field(default_factory=list)
    """From when, by the clock of then, to when requests were split how."""
    counts: dict[str, Sent] = field(default_factory=dict)
    runs_made: dict[str, Run] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    kill: Kill = field(default_factory=Kill)
    broken_promises: list[str] = field(default_factory=list)
    skills: Callable[[str, datetime], float] = lambda revision, day: 0.0
    sketches_of: Callable[[datetime, datetime], Mapping[str, object]] = lambda start, end: {}
    profile_bytes: bytes = b""
    run_makes: Callable[["World", str], Run] | None = None
    lost_blocks: int = 0
    warm_answers: bool = True
    clustered: bool = False
    """Servers have replicas that take time to come, and a route takes time to be in effect."""
    unsettled: bool = False
    by_load: dict[str, int] = field(default_factory=dict)
    """Replicas that a revision has of its own accord."""
    stuck: bool = False
    """Nobody gives more replicas."""
    empty: frozenset[str] = frozenset()
    """Revisions of which the gateway finds no endpoint."""
    unprofiled: bool = False
    """No revision has a profile, and the collector pairs nothing without."""
    mirrors: Any = None
    metrics: Any = None
    surplus: Any = None
    posts: Any = None
    remembered: Any = None

    # what a test does

    def candidate(self, digest: str, **behaviour: object) -> str:
        """Register a model and call it candidate, some time after the registry was last asked; returns its revision."""
        self.clock.by(timedelta(minutes=2))
        revision = revision_id(digest, "flights")
        self.models[revision] = Model(**behaviour)  # type: ignore[arg-type]
        version = self.registry.register("flights", f"/models/{digest}", digest, {})
        self.aliases["candidate"] = version.version
        return revision

    def order(self, verb: str, revision: str, id: str = "1", step: str = "") -> None:
        self.state.order("flights", Act(id, verb, revision, step, "Ann", self.clock.now()))

    def pass_time(self, length: timedelta) -> None:
        """Requests flow, then it is later."""
        started = self.clock.now()
        self._flow(length)
        self.clock.by(length)
        if self.split_now:
            self.flowed.append((started, self.clock.now(), self.split_now))
        self.unsettled = False
        self.give_replicas()

    def give_replicas(self) -> None:
        """What was asked for comes, and what nobody asks for goes."""
        for revision, server in self.servers_up.items():
            if server.least is not None and not self.stuck:
                self.servers_up[revision] = replace(
                    server, replicas=max(self.by_load.get(revision, 1), server.least)
                )

    def weight(self, revision: str) -> int:
        return self.split_now.weights.get(revision, 0) if self.split_now else 0

    def rejected(self, revision: str) -> bool:
        tags = next(v.tags for v in self.versions if revision_id(v.digest, "flights") == revision)
        return standing("flights", tags).rejected is not None

    def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event.kind for _, event in self.state.events()]

    def wipe(self) -> None:
        """Lose the rollout's status."""
        self.state._db.execute("delete from status where kind = 'ModelRollout'")

    def _flow(self, length: timedelta) -> None:
        split = self.split_now
        if split is None:
            return
        total = int(self.requests_an_hour * length / HOUR)
        for revision, weight in split.weights.items():
            self._count(revision, total * weight // 100, mirrored=False)
        if split.mirror:
            self._count(split.mirror, total * split.mirror_percent // 100, mirrored=True)

    def _count(self, revision: str, requests: int, mirrored: bool) -> None:
        held = self.counts.get(revision, Sent("a", 0, 0, 0, 0))
        server = self.servers_up.get(revision)
        up = server is not None and server.state is ServerState.READY
        failed = round(requests * self.models[revision].errors) if up else requests
        if mirrored:
            held = replace(
                held, mirrored=held.mirrored + requests, mirrored_failed=held.mirrored_failed + failed
            )
        else:
            held = replace(held, requests=held.requests + requests, failed=held.failed + failed)
        self.counts[revision] = held

    def reachable(self, port: str) -> None:
        if port in self.down:
            raise SurroundingsFailed(f"{port} is down")

    # the ports

    @property
    def registry(self) -> Registry:
        return Registry(self)

    @property
    def gateway(self) -> Gateway:
        return Gateway(self)

    @property
    def servers(self) -> Servers:
        return Servers(self)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self)

    @property
    def runs(self) -> Runs:
        return Runs(self)

    def profile(self, uri: str) -> bytes:
        if self.unprofiled:
            raise Unprofiled(f"the model at {uri} has no profile")
        return self.profile_bytes

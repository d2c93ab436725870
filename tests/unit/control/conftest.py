"""A small world that implements the loop's ports: its faults can be made to order, and it counts every write."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.adapters.clock import ReplayClock
from trimtab.adapters.state import SqliteState
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.monitor import Monitor
from trimtab.api.retrain import Retrain
from trimtab.api.rollout import Rollout
from trimtab.control import Loop, ReconcileMonitor, ReconcileRetrain, ReconcileRollout, Target, Ticked
from trimtab.drift import learn_profile
from trimtab.ports.evidence import (
    Agreement,
    BlockCut,
    Latencies,
    PairedBlock,
    RequestCount,
    ScoredBlock,
)
from trimtab.ports.gateway import Sent, Split
from trimtab.ports.profiles import Unprofiled
from trimtab.ports.registry import ModelVersion
from trimtab.ports.runs import Run, RunState
from trimtab.ports.servers import Revision, Server, ServerState
from trimtab.ports.state import Act
from trimtab.rollout import revision_id
from trimtab.rollout.rejection import standing

START = datetime(2013, 4, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROWS = 900
REQUESTS_AN_HOUR = 200
EDGES = tuple(1.02**k for k in range(300))


class Killed(BaseException):
    """The process died here."""


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
class Kill:
    """Die before, or after, the n-th write."""

    at: int = -1
    after: bool = False
    writes: int = 0

    def guard(self, write: Callable[[], object]) -> object:
        number, self.writes = self.writes, self.writes + 1
        if number == self.at and not self.after:
            raise Killed
        result = write()
        if number == self.at and self.after:
            raise Killed
        return result


@dataclass
class World:
    """Everything outside the loop."""

    clock: ReplayClock = field(default_factory=lambda: ReplayClock(START))
    state: SqliteState = field(default_factory=lambda: SqliteState(Path(":memory:")))
    models: dict[str, Model] = field(default_factory=dict)
    versions: list[ModelVersion] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    servers_up: dict[str, Server] = field(default_factory=dict)
    split_now: Split | None = None
    splits: list[tuple[datetime, Split]] = field(default_factory=list)
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
        self._flow(length)
        self.clock.by(length)
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
        total = int(REQUESTS_AN_HOUR * length / HOUR)
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
    def registry(self) -> "Registry":
        return Registry(self)

    @property
    def gateway(self) -> "Gateway":
        return Gateway(self)

    @property
    def servers(self) -> "Servers":
        return Servers(self)

    @property
    def evidence(self) -> "Evidence":
        return Evidence(self)

    @property
    def runs(self) -> "Runs":
        return Runs(self)

    def profile(self, uri: str) -> bytes:
        if self.unprofiled:
            raise Unprofiled(f"the model at {uri} has no profile")
        return self.profile_bytes


@dataclass
class Registry:
    world: World

    def register(self, name: str, uri: str, digest: str, tags: Mapping[str, str]) -> ModelVersion:
        held = next((v for v in self.world.versions if v.digest == digest), None)
        if held is None:
            held = ModelVersion(name, str(len(self.world.versions) + 1), uri, digest, dict(tags))
            self.world.versions.append(held)
        return held

    def version(self, name: str, version: str) -> ModelVersion | None:
        self.world.reachable("registry")
        return next((v for v in self.world.versions if v.version == version), None)

    def versions(self, name: str) -> Sequence[ModelVersion]:
        self.world.reachable("registry")
        return list(self.world.versions)

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        self.world.reachable("registry")
        return self.version(name, self.world.aliases.get(alias, ""))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self.world.aliases.update({alias: version}))

    def tag(self, name: str, version: str, key: str, value: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self._tags(version).update({key: value}))

    def untag(self, name: str, version: str, key: str) -> None:
        self.world.reachable("registry")
        self.world.kill.guard(lambda: self._tags(version).pop(key, None))

    def _tags(self, version: str) -> dict[str, str]:
        return next(v.tags for v in self.world.versions if v.version == version)  # type: ignore[return-value]


@dataclass
class Gateway:
    world: World

    def split(self, host: str) -> Split | None:
        self.world.reachable("gateway")
        split = self.world.split_now
        if split is None:
            return None
        return replace(split, in_effect=not self.world.unsettled, empty=self.world.empty)

    def apply(self, host: str, split: Split) -> None:
        self.world.reachable("gateway")
        self.world.kill.guard(lambda: self._apply(split))

    def _apply(self, split: Split) -> None:
        if sum(split.weights.values()) != 100:
            self.world.broken_promises.append(f"weights {split.weights}")
        was = self.world.split_now
        for revision, weight in split.weights.items():
            server = self.world.servers_up.get(revision)
            ready = server is not None and server.state is ServerState.READY
            grew = was is None or weight > was.weights.get(revision, 0)
            if weight < 100 and grew and not ready:
                self.world.broken_promises.append(f"{weight} on {revision}, which is not ready")
            if server is None:
                self.world.broken_promises.append(f"{weight} on {revision}, which has no server")
        if split.mirror and split.mirror not in self.world.servers_up:
            self.world.broken_promises.append("a mirror without a server")
        for revision in {split.chosen, split.preview} - {None, was and was.chosen, was and was.preview}:
            server = self.world.servers_up.get(revision)
            if server is None or server.state is not ServerState.READY:
                self.world.broken_promises.append(f"callers of {revision}, which is not ready")
        if self.world.clustered and was is not None:
            self._has_capacity(was, split)
        self.world.unsettled = self.world.clustered
        self.world.split_now = split
        self.world.splits.append((self.world.clock.now(), split))

    def _has_capacity(self, was: Split, split: Split) -> None:
        """Whoever gets more has the replicas for it."""
        stable = max(was.weights, key=lambda revision: was.weights[revision])
        up = self.world.servers_up
        before, after = (
            {
                **one.weights,
                **({one.mirror: one.mirror_percent} if one.mirror else {}),
                **({one.chosen: 100} if one.chosen and not one.audience.hash else {}),
            }
            for one in (was, split)
        )
        for revision, share in after.items():
            alone = revision in was.weights and split.weights == {revision: 100}
            if share <= before.get(revision, 0) or revision == stable or alone or stable not in up:
                continue
            have, needs = up[revision].replicas, -(-up[stable].replicas * share // 100)
            if have < needs:
                self.world.broken_promises.append(f"{share} on {revision}: {have} of {needs} replicas")

    def sent(self, host: str) -> Mapping[str, Sent]:
        self.world.reachable("gateway")
        return dict(self.world.counts)


@dataclass
class Servers:
    world: World

    def observed(self) -> Mapping[str, Server]:
        return dict(self.world.servers_up)

    def ensure(self, model_name: str, revision: Revision) -> None:
        def up() -> None:
            ready = self.world.models[revision.id].ready
            state = ServerState.READY if ready else ServerState.STARTING
            least = 0 if self.world.clustered else None
            self.world.servers_up.setdefault(revision.id, Server(revision.id, state, 0.0, 0, least=least))

        self.world.kill.guard(up)

    def scale(self, revision: str, least: int) -> None:
        def scaled() -> None:
            self.world.servers_up[revision] = replace(self.world.servers_up[revision], least=least)

        self.world.kill.guard(scaled)

    def retire(self, revision: str) -> None:
        def stop() -> None:
            split = self.world.split_now
            named = (split.mirror, split.chosen, split.preview) if split else ()
            if split and (split.weights.get(revision) or revision in named):
                self.world.broken_promises.append(f"{revision} was stopped while it had traffic")
            self.world.servers_up.pop(revision, None)

        self.world.kill.guard(stop)

    def warm(self, revision: str, requests: int) -> int:
        return requests if self.world.warm_answers else 0


@dataclass
class Runs:
    world: World

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        self.world.reachable("runs")

        def create() -> None:
            until = datetime.fromisoformat(parameters["until"])
            run = Run(f"run-{len(self.world.runs_made) + 1}", key, RunState.RUNNING, data_end=until)
            self.world.runs_made.setdefault(key, run)

        self.world.kill.guard(create)
        return self.world.runs_made[key]

    def find(self, key: str) -> Run | None:
        self.world.reachable("runs")
        run = self.world.runs_made.get(key)
        if run is not None and run.state is RunState.RUNNING and self.world.run_makes is not None:
            run = self.world.runs_made[key] = self.world.run_makes(self.world, key)
        return run


@dataclass
class Evidence:
    world: World

    def observe(self, revision: str, profile: bytes) -> None:
        self.world.reachable("evidence")

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, object]:
        self.world.reachable("evidence")
        return self.world.sketches_of(start, end)

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        self.world.reachable("evidence")
        found, at = [], start.replace(minute=0, second=0)
        while at < end and start < end:
            share = self._share(revision, at + timedelta(minutes=30))
            requests = REQUESTS_AN_HOUR * share // 100
            errors = round(requests * self.world.models[revision].errors)
            if requests:
                found.append(RequestCount(at, requests, errors, requests * 2))
            at += HOUR
        return found

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies:
        total = sum(count.requests for count in self.requests(revision, start, end, 3600))
        shares = np.exp(-0.5 * ((np.array(EDGES) / (20 * self.world.models[revision].slow) - 1) / 0.3) ** 2)
        return Latencies(EDGES, [int(c) for c in shares / shares.sum() * total * 1.1])

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        self.world.reachable("evidence")
        return [
            ScoredBlock(day, ROWS, 0, 0.0, 0.0, ROWS, ROWS * self.world.skills(revision, day), 200)
            for day in self._blocks(start, end, cut, now)
        ]

    def paired(
        self, stable: str, candidate: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[PairedBlock]:
        self.world.reachable("evidence")
        if self.world.unprofiled:
            raise InputRefused(f"the profile of '{stable}' has not come")
        ours, theirs = self.world.models[candidate], self.world.models[stable]
        found = []
        for day in self._blocks(start, end, cut, now):
            noise = random.Random(f"{day}{stable}{candidate}").gauss(0, ours.noise)
            found.append(PairedBlock(day, ROWS, 3, ROWS * (ours.loss - theirs.loss + noise), 0.1, -0.1))
        return found[self.world.lost_blocks :]

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement:
        pairs = sum(count.requests for count in self.requests(candidate, start, end, 3600))
        nan = pairs if self.world.models[candidate].nan else 0
        return Agreement(pairs, pairs // 10, 0.01 * pairs, nan, min(pairs, 2))

    def received(self) -> Mapping[str, int]:
        return {name: sent.requests + sent.mirrored for name, sent in self.world.counts.items()}

    def _share(self, revision: str, at: datetime) -> int:
        split = next((split for since, split in reversed(self.world.splits) if since <= at), None)
        if split is None:
            return 0
        mirrored = split.mirror_percent if split.mirror == revision else 0
        return split.weights.get(revision, 0) + mirrored

    def _blocks(self, start: datetime, end: datetime, cut: BlockCut, now: datetime) -> list[datetime]:
        """Blocks whose rows are mature a day later."""
        length = timedelta(seconds=cut.length_s)
        block = start.replace(hour=4, minute=0, second=0, microsecond=0)
        if block > start:
            block -= DAY
        block += (start - block) // length * length
        found = []
        while block + length <= end and block + length + DAY <= now:
            found.append(block)
            block += length
        return found


PROFILE = learn_profile(
    {"x": np.arange(1000.0)}, reference_skills=[-0.05 + 0.002 * (-1) ** k for k in range(28)]
).to_bytes()

SPEC = Rollout.model_validate(
    {
        "steps": [
            {
                "name": "shadow",
                "shadow": {},
                "until": {"minDuration": "7d", "maxDuration": "28d", "minBlocks": 7},
            },
            {"name": "first", "canary": {"percent": 20}, "until": {"minDuration": "2d", "maxDuration": "5d"}},
            {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "3d", "maxDuration": "10d"}},
        ],
        "onInconclusive": "Rollback",
        "checks": [
            {
                "name": "loss",
                "metric": "log_loss",
                "noWorseThanStableBy": 0.02,
                "alpha": {"fail": 0.05, "pass": 0.05},
                "block": "1d",
                "steps": ["shadow"],
            },
            {
                "name": "errors",
                "metric": "error_rate",
                "noWorseThanStableBy": 0.02,
                "alpha": {"fail": 0.01, "pass": 0.05},
                "block": "request",
            },
            {
                "name": "latency",
                "metric": "latency_p95",
                "noWorseThanStableBy": "50%",
                "alpha": {"fail": 0.01},
                "block": "request",
                "require": "NotFailed",
            },
            {"name": "sane", "metric": "disagreement", "atMost": 0.5, "require": "NotFailed"},
        ],
    }
)


class Stage:
    """A loop over a world, which may be killed and made again."""

    def __init__(self, spec: Rollout = SPEC, retrain: Retrain | None = None, **world: object) -> None:
        self.world = World(**{"profile_bytes": PROFILE, **world})  # type: ignore[arg-type]
        self.spec = spec
        self.retrain_spec = retrain or Retrain()
        self.target = Target(
            "flights", BlockCut(), mature_after=DAY, tick=timedelta(hours=6), poll_every=timedelta(minutes=1)
        )
        self.loop = self.make()

    def make(self) -> Loop:
        """A process starts."""
        world = self.world
        ports = {
            "clock": world.clock,
            "state": Guarded(world),
            "gateway": world.gateway,
            "servers": world.servers,
        }
        rollout = ReconcileRollout(
            self.spec,
            self.target,
            **ports,  # type: ignore[arg-type]
            evidence=world.evidence,  # type: ignore[arg-type]
            registry=world.registry,
            profiles=world,
            mirrors=world.mirrors,
            metrics=world.metrics,
        )
        monitor = ReconcileMonitor(
            Monitor(),
            self.target,
            state=ports["state"],
            evidence=world.evidence,
            gateway=world.gateway,
            profiles=world,  # type: ignore[arg-type]
        )
        retrain = ReconcileRetrain(
            self.retrain_spec,
            self.target,
            state=ports["state"],  # type: ignore[arg-type]
            evidence=world.evidence,  # type: ignore[arg-type]
            runs=world.runs,
            candidacy=rollout.candidacy,
            surplus=world.surplus,
            posts=world.posts,
        )
        return Loop(self.target, rollout, monitor, retrain, **ports)  # type: ignore[arg-type]

    def look(self) -> Ticked:
        """One look; a killed process is started again and looks anew."""
        try:
            return self.loop.tick()
        except Killed:
            self.loop = self.make()
            return self.look()

    def tick(self) -> Ticked:
        """Looks with time standing still, while a server is on its way."""
        for _ in range(6):
            ticked = self.look()
            if ticked.busy != "server":
                break
        return ticked

    def serve_first(self, digest: str = "first", **behaviour: object) -> str:
        """The first revision is stable."""
        revision = self.world.candidate(digest, **behaviour)
        self.tick()
        return revision

    def until(self, done: Callable[["Stage"], bool], days: float = 60, step: timedelta = 3 * HOUR) -> bool:
        """Let time pass, looking every `step`, until `done`; False if it never is."""
        end = self.world.clock.now() + timedelta(days=days)
        while not done(self):
            if self.world.clock.now() >= end:
                return False
            self.world.pass_time(step)
            self.tick()
        return True

    @property
    def status(self):
        return self.loop.rollout.status

    @property
    def settled(self) -> bool:
        return not self.status.in_flight


class Guarded:
    """The state, with its writes counted."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> object:
        return getattr(self._world.state, name)

    def write(self, *args: object, **how: object) -> object:
        return self._world.kill.guard(lambda: self._world.state.write(*args, **how))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_stage() -> type[Stage]:
    return Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()

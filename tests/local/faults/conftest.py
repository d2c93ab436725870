"""A small world for the replay: forty days of a made-up stream, and two models of it, one plainly better.

Everything else is the real thing: Envoy, model servers, collector, registry, state and loop. A rollout of the
better model, from shadow to promotion, takes seconds.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.local.replay.world import Hour, Outcome, Request, v2_body

NAME = "small"
START = datetime(2024, 3, 1, 4, tzinfo=UTC)
DAYS = 18
HOURS = (8, 12, 16, 20)
REQUESTS = 25
ROWS = 2
CANDIDATE_FROM = START + timedelta(days=2)

PROJECT = """
apiVersion: trimtab.dev/v1alpha1
kind: Project
name: small
sources:
  stream: {files: stream.csv}
examples:
  table: stream
  key: [row_id]
  time: at
  label: {column: y, knownAt: known_at, matureAfter: 24h}
rollout:
  steps:
  - {name: shadow, shadow: {percent: 100}, until: {minDuration: 7d, maxDuration: 14d, minBlocks: 7}}
  - {name: half, canary: {percent: 50}, until: {minDuration: 3d, maxDuration: 6d}}
  onInconclusive: Rollback
  keepPrevious: 1h
  checks:
  - {name: loss, metric: log_loss, noWorseThanStableBy: 0.02, block: 1d, steps: [shadow]}
  - {name: errors, metric: error_rate, noWorseThanStableBy: 0.05, steps: [half], require: NotFailed}
retrain: {triggers: []}
"""

FEATURES = '''
"""One number."""
from trimtab.features import Columns, Request

REQUEST = Request(at="timestamp", x="number")


def transform(rows: Columns) -> Columns:
    return {"x": rows["x"]}
'''


class SmallWorld:
    """Two rows a request, 200 a day; y is true with odds exp(2x), and known two hours later."""

    def __init__(self, days: int) -> None:
        self.start, self.end = START, START + timedelta(days=days)
        self._days = days

    def before(self) -> Hour:
        return Hour(START)

    def hours(self) -> Iterator[Hour]:
        draw, due = np.random.default_rng(11), list[Outcome]()
        for day in range(self._days):
            for hour in HOURS:
                now = START.replace(hour=0) + timedelta(days=day, hours=hour)
                known = [one for one in due if one.known_at <= now]
                due = [one for one in due if one.known_at > now]
                requests = []
                for number in range(REQUESTS):
                    request, outcomes = asked(
                        draw, now + timedelta(minutes=2 * number), f"{now:%m%d%H}-{number}"
                    )
                    requests.append(request)
                    due += outcomes
                yield Hour(now, outcomes=known, requests=requests)


def asked(draw: np.random.Generator, at: datetime, name: str) -> tuple[Request, list[Outcome]]:
    x = draw.normal(size=ROWS)
    y = draw.random(ROWS) < 1 / (1 + np.exp(-2 * x))
    keys = [f"{name}-{row}" for row in range(ROWS)]
    columns = {
        "row_id": ("BYTES", keys),
        "at": ("BYTES", [at.isoformat()] * ROWS),
        "x": ("FP64", x.tolist()),
    }
    outcomes = [
        Outcome(key, float(true), at + timedelta(hours=2), at) for key, true in zip(keys, y, strict=True)
    ]
    return Request(name, ROWS, v2_body(name, columns)), outcomes


def build_model(path: Path, slope: float) -> None:
    """P(y) = sigmoid(slope · x), a missing x as 0."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants = {"zero": [[0.0]], "one": [[1.0]], "slope": [[slope]]}
    graph = helper.make_graph(
        [
            helper.make_node("IsNaN", ["x"], ["unknown"]),
            helper.make_node("Where", ["unknown", "zero", "x"], ["known"]),
            helper.make_node("Mul", ["known", "slope"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["yes"]),
            helper.make_node("Sub", ["one", "yes"], ["no"]),
            helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def build_folder(path: Path, slope: float) -> str:
    """A model folder as export writes it; returns its digest."""
    from trimtab.drift import LabelRule as ProfiledLabel
    from trimtab.drift import learn_profile
    from trimtab.features import Field, ServingPlan, load_features
    from trimtab.features.plan import LabelRule

    path.mkdir(parents=True)
    (path / "features.py").write_text(FEATURES)
    build_model(path / "model.onnx", slope)
    definition = load_features(path / "features.py")
    plan = ServingPlan(
        model_name=NAME,
        inputs=tuple(Field(name, kind) for name, kind in definition.request.items()),
        key=("row_id",),
        time="at",
        views=(),
        transform_digest=definition.digest,
        outputs=(Field("x", "number"),),
        task="binary",
        classes=("0", "1"),
        label=LabelRule("y", "known_at", 86400.0),
    )
    (path / "plan.json").write_text(plan.to_json())
    reference = np.random.default_rng(5).normal(size=4000)
    label = ProfiledLabel("y", "known_at", 86400)
    profile = learn_profile({"x": reference}, label=label, key=("row_id",), time="at")
    (path / "profile.json").write_bytes(profile.to_bytes())
    (path / "samples.json").write_text(json.dumps([{"at": START.isoformat(), "x": 0.5}]))
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(path.iterdir())}
    (path / "manifest.json").write_text(json.dumps({"files": files}))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project folder to copy: its registry holds version 1 as the candidate, and its models lie beside it."""

    folder: Path
    better: tuple[str, str]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    from trimtab.adapters.mlflow import MlflowRegistry
    from trimtab.adapters.mlflow.client import local_uri

    models = tmp_path_factory.mktemp("models")
    poor, better = build_folder(models / "poor", 0.3), build_folder(models / "better", 2.0)
    folder = tmp_path_factory.mktemp("prepared") / "project"
    folder.mkdir()
    (folder / "trimtab.yaml").write_text(PROJECT)
    (folder / "stream.csv").write_text("row_id,at,known_at,x,y\n")
    registry = MlflowRegistry(local_uri(folder / ".trimtab" / "mlflow" / "mlflow.db"))
    registry.register(NAME, str(models / "poor"), poor, {})
    registry.set_alias(NAME, "candidate", "1")
    return Prepared(folder, (str(models / "better"), better))


class NoRuns:
    """No pipeline is behind this world (ports.runs.Runs)."""

    def start(self, key: str, parameters: Mapping[str, str]) -> Any:
        raise AssertionError("nothing asks for a run here")

    def find(self, key: str) -> None:
        return None


@dataclass
class Lived:
    """A replay that ended.

    Attributes:
        failures: failed requests by hour in which there were any.
        events: what the loop decided, with the times at which it did.
        checks: each check's units, rows and estimate as they went, without those that hang on the wall's clock.
        received: events that the collector holds.
        restarts: by process, as many as were ever seen.
    """

    failures: dict[datetime, int] = field(default_factory=dict)
    events: list[tuple[datetime, str, str]] = field(default_factory=list)
    phase: str = ""
    stable: str = ""
    rejected: tuple[str, ...] = ()
    requests: int = 0
    logged: int = 0
    dropped: int = 0
    received: int = 0
    checks: list[tuple[datetime, str, str, int, int, float | None]] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)


Fault = Callable[[Any, str], bool]
"""Does its harm to a plane at a rollout's phase, and says whether it did."""
Live = Callable[..., Lived]


@pytest.fixture(scope="session")
def live(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Lives through the small world once, with a fault in it or none."""

    def lived(fault: Fault | None = None) -> Lived:
        from trimtab.local.plane import Plane

        folder = tmp_path_factory.mktemp("world") / "project"
        shutil.copytree(prepared.folder, folder)
        plane = Plane(folder / ".trimtab", NAME, timeout_s=10)
        try:
            return replay(folder, plane, prepared.better, fault)
        finally:
            plane.down()

    return lived


@pytest.fixture(scope="session")
def calm(live: Live) -> Lived:
    """What happens when nothing does."""
    return live()


def replay(folder: Path, plane: Any, better: tuple[str, str], fault: Fault | None) -> Lived:
    from trimtab.adapters.clock import ReplayClock
    from trimtab.adapters.collector import Collector
    from trimtab.adapters.online import SqliteOnlineStore
    from trimtab.adapters.state import SqliteState
    from trimtab.bootstrap import local
    from trimtab.local.demo.run import settle
    from trimtab.local.demo.story import Story
    from trimtab.local.replay.barrier import Barrier
    from trimtab.local.replay.client import Client
    from trimtab.local.replay.driver import Replay, Sources

    loaded, home = local.open_project(folder)
    world, lived = SmallWorld(DAYS), Lived()
    with ExitStack() as ending:
        plane.up()
        clock, state, story = ReplayClock(world.start), SqliteState(home.state), Story()
        collector = Collector(plane.collector_url)
        ending.callback(collector.close)
        registry, gateway, servers = local.registry(home), plane.gateway, plane.servers
        loop = local.control_loop(
            loaded, clock, state, collector, gateway, servers, registry, NoRuns(), timedelta(hours=12),
            poll_every=timedelta(days=400),
        )  # fmt: skip
        online = SqliteOnlineStore(home.online)
        ending.callback(online.close)
        waiting = [fault] if fault else []
        seen = [0]

        def tick() -> None:
            settle(loop, servers)
            story.look(clock.now(), loop.rollout.status)
            if waiting and waiting[0](plane, str(loop.rollout.status.phase)):
                waiting.clear()

        def hour(now: datetime) -> None:
            for child in plane.control.children():
                lived.restarts[child.name] = max(child.restarts, lived.restarts.get(child.name, 0))
            if failed := run.counts.failed - seen[0]:
                lived.failures[now] = failed
                seen[0] = run.counts.failed
            if now >= CANDIDATE_FROM and registry.version(NAME, "2") is None:
                registry.register(NAME, *better, {})
                registry.set_alias(NAME, "candidate", "2")
                loop.rollout.candidacy.forget()

        def urls() -> dict[str, str]:
            return {one: url for one in servers.observed() if (url := plane.server_url(one)) is not None}

        run = Replay(
            world, clock, Sources(folder / "sources"), online, collector,
            Client(plane.url, f"/v2/models/{NAME}/infer", 7),
            Barrier(lambda: gateway.sent(plane.host), collector.received),
            tick, loop.next_wake, urls, hour,
        )  # fmt: skip
        ending.callback(run.close)
        run.begin()
        tick()
        run.run()
        assert not waiting, "the fault was never done"
        status = loop.rollout.status
        lived.events = [(event.at, event.kind, event.revision) for _, event in state.events()]
        lived.phase, lived.stable = str(status.phase), status.stable.version if status.stable else ""
        lived.rejected = tuple(one.because for one in status.rejected)
        lived.requests = run.counts.requests
        lived.logged = sum(one.logged for one in run.logged.values())
        lived.dropped = sum(one.dropped for one in run.logged.values())
        lived.received = sum(collector.received().values())
        lived.checks = [
            (one.at, one.step, one.verdict, one.units, one.rows, one.estimate) for one in story.bounds
        ]
    return lived

"""The demo from its first file to its report."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from trimtab.adapters.clock import ReplayClock
from trimtab.adapters.collector import Collector
from trimtab.adapters.online import SqliteOnlineStore
from trimtab.adapters.processes.control import PlaneDown
from trimtab.adapters.projects.load import PLATFORM_FILE
from trimtab.adapters.state import SqliteState
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.monitor import MonitorStatus
from trimtab.api.rollout_status import RolloutStatus
from trimtab.bootstrap import local
from trimtab.control import Loop
from trimtab.local.demo import prepare
from trimtab.local.demo.lived import Lived
from trimtab.local.demo.memory import Peak
from trimtab.local.demo.story import Story
from trimtab.local.plane import Plane
from trimtab.local.replay.barrier import Barrier
from trimtab.local.replay.charged import ChargedRuns
from trimtab.local.replay.client import Client
from trimtab.local.replay.driver import Replay, Sources
from trimtab.local.runs import LocalRuns
from trimtab.local.training import ended
from trimtab.ports.runs import Run
from trimtab.ports.servers import Servers, ServerState
from trimtab.rollout.revision import revision_id

if TYPE_CHECKING:
    from trimtab.adapters.kfp.client import PipelineHost

SEED: Final = 7
TICK: Final = timedelta(hours=12)
CHARGE: Final = timedelta(hours=1)
SERVER_WITHIN_S: Final = 180.0
POLL_S: Final = 0.02

START: Final = datetime(2013, 4, 1, 8, tzinfo=UTC)
"""Four in the morning in New York: a local day of evidence begins."""
DECEMBER: Final = datetime(2013, 12, 1, 9, tzinfo=UTC)
END: Final = datetime(2014, 1, 1, 5, tzinfo=UTC)

WHOLE_YEAR: Final = ((START, END),)
SHORT: Final = ((START, datetime(2013, 6, 16, 8, tzinfo=UTC)), (datetime(2013, 11, 30, 9, tzinfo=UTC), END))
"""A cut that keeps the alarm, the first promotion and the December candidate."""
SPANS: Final[Mapping[str, Sequence[tuple[datetime, datetime]]]] = {"year": WHOLE_YEAR, "short": SHORT}
MADE: Final = frozenset({"flights", "world", "result.json", "story.json", "report.html"})
"""All that a demo writes into its folder."""
FORCED_WINDOW: Final = "91d"
FORCED_KEY: Final = "forced-in-december"


class Shown(Protocol):
    """Where the demo tells what it does."""

    def say(self, line: str) -> None: ...

    def step(self, event: Mapping[str, Any]) -> None:
        """A pipeline's task began or ended."""

    def live_through(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        """These stretches of time will be lived."""

    def hour(
        self, now: datetime, rollout: RolloutStatus, monitor: MonitorStatus, requests: int, failed: int
    ) -> None:
        """An hour of the year was lived."""


class Pipelines:
    """The demo's runs: one warm host, parameters filled in from what is in service."""

    def __init__(self, prepared: local.Prepared, host: "PipelineHost", shown: Shown) -> None:
        self._prepared = prepared
        self._runs = LocalRuns(prepared, lambda: host, shown.step)
        self._shown = shown

    def start(self, key: str, asked: Mapping[str, str]) -> Run:
        until = datetime.fromisoformat(asked["until"])
        self._shown.say(f"pipeline run until {until:%d %B %Y %H:%M} UTC")
        return self._runs.start(key, self._parameters(until, "", force=False))

    def find(self, key: str) -> Run | None:
        return self._runs.find(key)

    def by_hand(self, key: str, until: datetime, window: str = "", *, force: bool = False) -> Run:
        """A run that nobody but the demo asks for.

        Raises:
            TaskFailed, SurroundingsFailed: it did not come to its gates.
        """
        record = self._runs.run(key, self._parameters(until, window, force=force))
        return ended(record, self._prepared.home)

    def _parameters(self, until: datetime, window: str, *, force: bool) -> Mapping[str, Any]:
        stable = local.stable_version(self._prepared.loaded, self._prepared.home)
        return local.run_parameters(until, window, stable, force)


def live(folder: Path, span: str, shown: Shown, finish: Callable[[Lived], None]) -> None:
    """Live a span of the year in `folder`, then hand everything, still running, to `finish`.

    What an earlier demo left in the folder is ended and removed first.

    Raises:
        TrimtabError: something did not start, or a run failed.
    """
    began = time.monotonic()
    project = folder / "flights"
    if clean(folder, project):
        shown.say(
            "an earlier demo stood here, finished or killed: it is cleared away, and this one starts clean"
        )
    prepare.copy_project(project)
    loaded, home = local.open_project(project, prepare.PLATFORM)
    with ExitStack() as ending:
        shown.say("starting the pipeline host, the gateway and the collector")
        host = ending.enter_context(local.pipeline_host(home))
        home.path.mkdir(parents=True, exist_ok=True)
        clock_file = home.path / "clock"
        clock = ReplayClock(SPANS[span][0][0], clock_file)
        plane = Plane(home.path, loaded.project.name, clock=clock_file)
        ending.callback(plane.down)
        plane.up(tie_to=os.getpid())
        peak = ending.enter_context(Peak(lambda: roots(plane)))
        shown.say("reading 336,776 flights of 2013")
        world = prepare.record_year(project, folder / "world", SPANS[span])
        pipelines = Pipelines(local.prepare(loaded, home), host, shown)
        state = SqliteState(home.state)
        collector = Collector(plane.collector_url)
        ending.callback(collector.close)
        registry, gateway, servers, story = local.registry(home), plane.gateway, plane.servers, Story()
        loop = local.control_loop(
            loaded,
            clock,
            state,
            collector,
            gateway,
            servers,
            registry,
            ChargedRuns(pipelines, clock, CHARGE),
            TICK,
            poll_every=world.end - world.start,
        )
        online = SqliteOnlineStore(home.online)
        ending.callback(online.close)

        def tick() -> None:
            settle(loop, servers)
            story.look(clock.now(), loop.rollout.status)

        def server_urls() -> dict[str, str]:
            return {
                revision: url
                for revision in servers.observed()
                if (url := plane.server_url(revision)) is not None
            }

        forced = Forced(pipelines, loop, clock, shown)

        def hour(now: datetime) -> None:
            counts = replay.counts
            shown.hour(now, loop.rollout.status, loop.monitor.status, counts.requests, counts.failed)
            forced.when_due(now)

        replay = Replay(
            world,
            clock,
            Sources(prepare.source_folder(project)),
            online,
            collector,
            Client(plane.url, f"/v2/models/{loaded.project.name}/infer", SEED),
            Barrier(lambda: gateway.sent(plane.host), collector.received),
            tick,
            loop.next_wake,
            server_urls,
            hour,
        )
        ending.callback(replay.close)
        replay.begin()
        shown.say("first model: everything before 1 April")
        pipelines.by_hand("first", world.start)
        tick()
        shown.live_through(SPANS[span])
        replay.run()
        versions = registry.versions(loaded.project.name)
        finish(
            Lived(
                project=loaded.project,
                start=world.start,
                end=world.end,
                counts=replay.counts,
                logged=list(replay.logged.values()),
                rollout=loop.rollout.status,
                monitor=loop.monitor.status,
                retrain=loop.retrain.status,
                events=[event for _, event in state.events()],
                versions=versions,
                revisions={revision_id(one.digest, loaded.project.name): one.version for one in versions},
                run_tags=registry.run_tags,
                collector=collector,
                story=story,
                home=home,
                wall_s=time.monotonic() - began,
                peak_mb=peak.peak_mb,
            )
        )


class Forced:
    """The December candidate: a season's data alone, let past the gate so that shadow has to refuse it."""

    def __init__(self, pipelines: Pipelines, loop: Loop, clock: ReplayClock, shown: Shown) -> None:
        self._pipelines, self._loop, self._clock, self._shown = pipelines, loop, clock, shown
        self._done = False

    def when_due(self, now: datetime) -> None:
        """Train and register it in the first hour of December in which no rollout is under way."""
        if self._done or now < DECEMBER or self._loop.rollout.status.in_flight:
            return
        self._done = True
        self._shown.say("December: a candidate of September to November, forced past its gate")
        self._pipelines.by_hand(FORCED_KEY, self._clock.now(), FORCED_WINDOW, force=True)
        self._loop.rollout.candidacy.forget()


def settle(loop: Loop, servers: Servers) -> None:
    """Look again, with time standing still, while a server starts or stops.

    Raises:
        SurroundingsFailed: it does not come, or something cannot be reached.
    """
    deadline = time.monotonic() + SERVER_WITHIN_S
    while True:
        ticked = loop.tick()
        if ticked.busy != "server" and not ticked.trouble and all_ready(servers):
            return
        if time.monotonic() > deadline:
            raise SurroundingsFailed(
                f"the loop does not settle within {SERVER_WITHIN_S:g} s: {ticked.trouble or ticked.because}",
                remedy="see the logs under .trimtab/demo/flights/.trimtab/plane/logs",
            )
        time.sleep(POLL_S)


def all_ready(servers: Servers) -> bool:
    """Whether no server is on its way up or down."""
    return all(server.state is ServerState.READY for server in servers.observed().values())


def clean(folder: Path, project: Path) -> bool:
    """End and remove what an earlier demo left; says whether there was one.

    Raises:
        InputRefused: the folder holds something that no demo made.
    """
    if not folder.exists():
        return False
    copied = (project / PLATFORM_FILE).is_file()
    made = MADE if copied else MADE - {project.name}
    if not folder.is_dir():
        raise InputRefused(f"{folder} is no folder", remedy="name an empty folder with --folder")
    strange = sorted(path.name for path in folder.iterdir() if path.name not in made)
    if strange:
        raise InputRefused(
            f"{folder} holds {', '.join(strange[:3])}, which no demo made",
            remedy="name an empty folder with --folder",
        )
    if (project / ".trimtab").exists():
        Plane(project / ".trimtab", "flights").clean()
    shutil.rmtree(folder)
    return True


def roots(plane: Plane) -> list[int]:
    """This process, and the children of the plane."""
    try:
        return [os.getpid(), *(child.pid for child in plane.control.children() if child.pid)]
    except (PlaneDown, SurroundingsFailed):
        return [os.getpid()]

"""The loop as a process of the plane: `python -m trimtab.local.live PROJECT_FOLDER [PLATFORM]`.

It looks every few seconds, writes one line for each thing that happened, and ends with SIGTERM; what it
decided is in the state file, so the next one goes on where it was.
"""

import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.clock import WallClock
from trimtab.adapters.collector import Collector
from trimtab.adapters.state import SqliteState
from trimtab.api.errors import ExitStatus, TrimtabError
from trimtab.bootstrap import local
from trimtab.local.background_runs import BackgroundRuns
from trimtab.local.plane import Plane
from trimtab.local.runs import LocalRuns, Record, run_id
from trimtab.ports.runs import Run

if TYPE_CHECKING:
    from trimtab.adapters.kfp.client import PipelineHost

TICK = timedelta(seconds=5)
BUSY_S = 0.25


def live(folder: Path, platform: str | None, leave: threading.Event) -> None:
    """Steer the project in `folder` until `leave` is set."""
    loaded, home = local.open_project(folder, platform)
    project, state = loaded.project, SqliteState(home.state)
    plane = Plane(
        home.path,
        project.name,
        online=local.platform_of(loaded).online,
        reject_unknown_keys=project.online.missing == "reject",
    )
    with ExitStack() as ending:
        loop = local.control_loop(
            loaded,
            WallClock(),
            state,
            Collector(plane.collector_url),
            plane.gateway,
            plane.servers,
            local.registry(home),
            _runs(folder, platform, ending),
            TICK,
        )
        told = max((number for number, _ in state.events()), default=0)
        because = trouble = ""
        while not leave.is_set():
            ticked = loop.tick()
            for number, event in state.events(after=told):
                _say(f"{event.resource} {event.kind} {event.revision} {event.because}")
                told = number
            if ticked.because != because:
                because = ticked.because
                _say(f"rollout: {because}")
            if ticked.trouble != trouble:
                trouble = ticked.trouble
                _say(f"trouble: {trouble}" if trouble else "the trouble is over")
            rest = (ticked.wake - datetime.now(UTC)).total_seconds()
            leave.wait(BUSY_S if ticked.busy else min(max(rest, BUSY_S), TICK.total_seconds()))


def _runs(folder: Path, platform: str | None, ending: ExitStack) -> BackgroundRuns:
    """Runs of the project as it stands when each of them starts.

    The warm host comes with the first of them, and anew where it died.
    """
    _, home = local.open_project(folder, platform)
    warm: PipelineHost | None = None

    def host() -> "PipelineHost":
        nonlocal warm
        if warm is None or not warm.alive:
            warm = ending.enter_context(local.pipeline_host(home))
        return warm

    def run(key: str, asked: Mapping[str, str]) -> None:
        now, _ = local.open_project(folder, platform)
        until, stable = datetime.fromisoformat(asked["until"]), local.stable_version(now, home)
        parameters = local.run_parameters(until, asked.get("window"), stable, force=False)
        LocalRuns(local.prepare(now, home), host).start(key, parameters)

    def find(key: str) -> Run | None:
        record = Record.read(home.runs / run_id(key))
        return record.as_run() if record else None

    def parameters(key: str) -> Mapping[str, str]:
        record = Record.read(home.runs / run_id(key))
        return dict(record.arguments) if record else {}

    return BackgroundRuns(run, find, parameters)


def _say(line: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    leave = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave.set())
    try:
        live(Path(arguments[0]), arguments[1] if len(arguments) > 1 else None, leave)
    except TrimtabError as error:
        _say(str(error))
        return int(error.status)
    return int(ExitStatus.DONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

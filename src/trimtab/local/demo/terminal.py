"""The demo on a terminal: the loop live; off a terminal, a line for each thing that happens."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from trimtab.api.monitor import Episode, MonitorStatus
from trimtab.api.rollout_status import Move, RolloutStatus
from trimtab.local.demo.picture import NEW_YORK, Moment, names, picture

REFRESH_PER_S: Final = 4
SOON: Final = 0.03
"""Share of the year under which nobody can say how long it will take."""

TOLD: Final = {
    "CandidateTaken": "is taken as candidate",
    "StepStarted": "enters step",
    "Promoted": "is promoted",
    "Rejected": "is refused",
    "Superseded": "makes room for a newer one",
    "Undone": "is undone",
    "Retried": "is tried again",
    "Stalled": "needs a person",
}


class Terminal:
    """Shows the year going by; a context manager.

    An hour costs a few microseconds: what is shown is drawn in a thread, four times a second at most.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._began = time.monotonic()
        self._first_hour: float | None = None
        self._spans: Sequence[tuple[datetime, datetime]] = ()
        self._moment: Moment | None = None
        self._doing = "starting"
        self._names: dict[str, str] = {}
        self._move: Move | None = None
        self._episodes: set[str] = set()
        self._month = ""
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._moment = None
            self._doing = ""
            self._live.stop()

    def say(self, line: str) -> None:
        """One thing that happened."""
        self._doing = line
        self._print(Text(line))

    def step(self, event: Mapping[str, Any]) -> None:
        """A pipeline's task began or ended."""
        if event["event"] != "task_ended":
            self._doing = f"pipeline: {event.get('task', '')}"
            return
        line = Text(f"    {event['task']:<12} {event['seconds']:6.2f} s", style="dim")
        if not event["succeeded"]:
            line.append("  failed", style="red bold")
        self._print(line)

    def live_through(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        """The stretches of time that will be lived, for how much of them is past."""
        self._spans = spans

    def hour(
        self, now: datetime, rollout: RolloutStatus, monitor: MonitorStatus, requests: int, failed: int
    ) -> None:
        """An hour of the year was lived."""
        if self._first_hour is None:
            self._first_hour = time.monotonic()
        self._doing = ""
        self._moment = Moment(now, rollout, monitor, requests, failed, self._lived(now))
        self._say_moves(rollout)
        for episode in monitor.episodes:
            self._say_alarm(episode)
        local = now.astimezone(NEW_YORK)
        if f"{local:%B}" != self._month:
            self._month = f"{local:%B}"
            self._print(Text(f"{self._month}: {requests:,} requests so far, {failed:,} failed", style="bold"))

    def end(self, folder: Path) -> None:
        """The result in a few lines, and where to look."""
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        served, events = result["requests"], result["events"]
        self._console.print()
        for kind, colour in (("promotions", "green"), ("refusals", "red")):
            for one in result[kind]:
                line = Text.assemble(
                    (f"{kind[:-1]:<10}", colour), f" {str(one['at'])[:10]}  ", (f"{one['name']}", "bold")
                )
                self._console.print(line.append(f"  {one['because']}"), soft_wrap=True)
        minutes, seconds = divmod(round(result["wall_s"]), 60)
        self._console.print(
            f"\n{served['served']:,} requests answered, {served['failed']:,} failed; {result['predictions']:,} "
            f"predictions; {events['lost']:,} events lost; {minutes} min {seconds:02d} s, "
            f"{result['peak_memory_mb']:,} MB at the peak",
            highlight=False,
            soft_wrap=True,
        )
        for name in ("report.html", "result.json"):
            self._console.print(f"{name.partition('.')[0]}: {folder / name}", highlight=False, soft_wrap=True)

    def _say_moves(self, rollout: RolloutStatus) -> None:
        """What the rollout's history holds that was not told yet."""
        history = rollout.history
        if not history or history[-1] == self._move:
            return
        self._names |= names(rollout)
        seen = history.index(self._move) + 1 if self._move in history else 0
        self._move = history[-1]
        for move in history[seen:]:
            local = move.at.astimezone(NEW_YORK)
            name = self._names.get(move.revision, move.revision)
            line = Text.assemble(
                f"{local.day} {local:%B}: ", (name, "bold"), f" {TOLD.get(move.kind, move.kind)}",
                (f" {move.because}" if move.kind == "StepStarted" else f": {move.because}", "dim"),
            )  # fmt: skip
            self._print(line)

    def _say_alarm(self, episode: Episode) -> None:
        if episode.id in self._episodes:
            return
        self._episodes.add(episode.id)
        local = episode.opened_at.astimezone(NEW_YORK)
        line = Text.assemble(
            f"{local.day} {local:%B}: ", (f"{episode.cause} alarm", "red bold"), f": {episode.because}"
        )
        self._print(line)

    def _print(self, line: Text) -> None:
        passed = Text(f"{time.monotonic() - self._began:6.1f} s  ", style="dim")
        self._console.print(passed.append_text(line), soft_wrap=True)

    def _lived(self, now: datetime) -> float:
        """The share of the spans that is past."""
        total = sum((end - start).total_seconds() for start, end in self._spans)
        past = sum(max(0.0, (min(now, end) - start).total_seconds()) for start, end in self._spans)
        return min(1.0, past / total) if total else 0.0

    def _picture(self) -> Any:
        moment, doing = self._moment, self._doing
        if moment is None:
            return Text(f"  {doing}" if doing else "", style="cyan")
        elapsed = time.monotonic() - self._began
        left = None
        if self._first_hour is not None and moment.lived > SOON:
            left = (time.monotonic() - self._first_hour) * (1 - moment.lived) / moment.lived
        return picture(moment, elapsed, left, doing)

"""The demo on a terminal: the loop live; off a terminal, a line for each thing that happens."""

import json
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trimtab.api.rollout_status import CheckStatus, RolloutStatus

NEW_YORK: Final = ZoneInfo("America/New_York")
LINES: Final = 12
REFRESH_S: Final = 0.2


class Terminal:
    """Shows the year going by; a context manager."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, refresh_per_second=5, transient=True)
        self._lines: deque[str] = deque(maxlen=LINES)
        self._began = self._drawn = time.monotonic()
        self._month = ""
        self._phase: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, line: str) -> None:
        """One thing that happened."""
        text = f"{time.monotonic() - self._began:6.1f} s  {line}"
        self._lines.append(text)
        self._console.print(text, highlight=False, soft_wrap=True)

    def step(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "task_ended":
            outcome = "" if event["succeeded"] else "  FAILED"
            self.say(f"  {event['task']:<12} {event['seconds']:6.2f} s{outcome}")

    def hour(self, now: datetime, status: RolloutStatus, requests: int, failed: int) -> None:
        local = now.astimezone(NEW_YORK)
        self._say_changes(local, status)
        if f"{local:%B}" != self._month:
            self._month = f"{local:%B}"
            self.say(f"{local:%d %B}  {requests:,} requests, {failed} failed")
        if self._console.is_terminal and time.monotonic() - self._drawn > REFRESH_S:
            self._drawn = time.monotonic()
            self._live.update(self._picture(local, status, requests, failed))

    def _say_changes(self, local: datetime, status: RolloutStatus) -> None:
        phase = (
            str(status.phase),
            status.stable.version if status.stable else "",
            status.candidate.version if status.candidate else "",
            status.step.name if status.step else "",
        )
        if phase != self._phase:
            self._phase = phase
            where, stable, candidate, step = phase
            told = f", candidate v{candidate} at {step or 'the start'}" if candidate else ""
            because = f"  ({status.history[-1].kind}: {status.history[-1].because})" if status.history else ""
            self.say(f"{local:%d %B %H:%M}  {where}: v{stable} serves{told}{because}")

    def _picture(self, local: datetime, status: RolloutStatus, requests: int, failed: int) -> Group:
        head = Text(
            f"{local:%A %d %B %Y %H:%M}  New York    {requests:,} requests  {failed} failed", style="bold"
        )
        table = Table("revision", "version", "serves", "copies", box=None)
        for role, ref in (("stable", status.stable), ("candidate", status.candidate)):
            if ref is not None:
                share = status.traffic.get(ref.revision, 0)
                bar = "█" * (share // 5)
                mirrored = "100 %" if status.mirror == ref.revision else ""
                table.add_row(f"{role} {ref.revision}", f"v{ref.version}", f"{share:3d} % {bar}", mirrored)
        checks = Table("check", "verdict", "bounds", "margin", "units", box=None)
        for check in status.checks:
            checks.add_row(
                check.name, str(check.verdict), bounds(check), number(check.margin), str(check.units)
            )
        return Group(head, table, checks)

    def end(self, folder: Path) -> None:
        """The result in a few lines, and where to look."""
        result = json.loads((folder / "result.json").read_text())
        for kind in ("promotions", "refusals"):
            for one in result[kind]:
                self._console.print(f"{kind[:-1]:<10} {one}", highlight=False, soft_wrap=True)
        served = result["requests"]
        self._console.print(
            f"{served['served']:,} requests served, {served['failed']} failed; {result['wall_s']:.0f} s, "
            f"peak {result['peak_memory_mb']:.0f} MB\nreport: {folder / 'report.html'}\nresult: {folder / 'result.json'}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def bounds(check: CheckStatus) -> str:
    return f"[{number(check.lower)}, {number(check.upper)}]".replace("[", r"\[")


def number(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"

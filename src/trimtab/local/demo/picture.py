"""The loop as it stands, as a picture for a terminal: time, traffic, the model's skill, and every check's bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trimtab.api.monitor import DriftedColumn, MonitorStatus
from trimtab.api.rollout_status import CheckStatus, RolloutStatus
from trimtab.sequential import Verdict

NEW_YORK: Final = ZoneInfo("America/New_York")
BAR: Final = 24
GAUGE: Final = 33
REACH: Final = 2.0
"""A gauge reaches this many margins to either side."""
COLOURS: Final = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known after one hour of the year.

    Attributes:
        lived: share of the year, 0 to 1.
    """

    now: datetime
    rollout: RolloutStatus
    monitor: MonitorStatus
    requests: int
    failed: int
    lived: float


def picture(moment: Moment, elapsed_s: float, left_s: float | None, doing: str) -> RenderableType:
    """Everything, under 20 lines.

    Args:
        elapsed_s: since the demo began.
        left_s: how long it may still take; None while that cannot be said.
        doing: what runs while time stands still; "" while the year goes by.
    """
    parts: list[RenderableType] = [head(moment, elapsed_s, left_s), Text(), traffic(moment.rollout)]
    parts += [Text(), watched(moment.monitor)]
    if moment.rollout.checks and moment.rollout.candidate is not None:
        parts += [Text(), checks(moment.rollout)]
    parts += [Text(), Text(f"  {doing}" if doing else "", style="cyan")]
    return Group(*parts)


def head(moment: Moment, elapsed_s: float, left_s: float | None) -> RenderableType:
    local = moment.now.astimezone(NEW_YORK)
    left = "" if left_s is None else f", about {clock(left_s)} to go"
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(f"  {local:%a} {local.day} {local:%B %Y %H:%M}", style="bold"),
        ProgressBar(total=1.0, completed=moment.lived, width=30),
        Text(f"{clock(elapsed_s)} passed{left}", style="dim"),
    )
    failed = Text(f"{moment.failed:,} failed", style="red bold" if moment.failed else "green")
    line = Text.assemble(f"  {moment.requests:,} requests answered, ", failed, ", New York time")
    return Group(grid, line)


def traffic(status: RolloutStatus) -> RenderableType:
    """Who answers, and who gets copies."""
    table = Table.grid(padding=(0, 2))
    for role, ref, colour in (("stable", status.stable, "blue"), ("candidate", status.candidate, "magenta")):
        if ref is None:
            continue
        share = status.traffic.get(ref.revision, 0)
        full = round(share / 100 * BAR)
        copies = "and copies of all requests" if status.mirror == ref.revision else ""
        step = f"step {status.step.name}" if role == "candidate" and status.step else ""
        table.add_row(
            Text(f"  v{ref.version}", style=f"bold {colour}"),
            Text(role),
            Text.assemble(("█" * full, colour), ("░" * (BAR - full), "dim")),
            Text(f"{share:3d} %"),
            Text(", ".join(part for part in (step, copies) if part), style="dim"),
        )
    return table


def watched(status: MonitorStatus) -> RenderableType:
    """The model's skill against its reference, and the features that moved most."""
    skill = status.skill
    lost = Text("  skill     ", style="bold")
    if skill.drop is None:
        lost.append("no mature day yet", style="dim")
    else:
        lost.append(f"{skill.drop:+.3f} nats a flight lost, bounds {between(skill.lower, skill.upper)}, ")
        lost.append(f"{skill.blocks} days")
    for episode in status.episodes:
        if episode.closed_at is None:
            local = episode.opened_at.astimezone(NEW_YORK)
            lost.append(f"  {episode.cause} alarm since {local.day} {local:%B}", style="red bold")
    return Group(lost, features(status.worst))


def features(columns: Sequence[DriftedColumn]) -> Text:
    line = Text("  features  ", style="bold")
    if not columns:
        return line.append("no window closed yet", style="dim")
    counted = [one for one in columns if not one.seasonal]
    drifted = sum(one.drifted for one in counted)
    line.append(f"{drifted} drifted in the last window", style="yellow" if drifted else "green")
    for one in counted[:3]:
        if one.value is not None and one.threshold is not None:
            line.append(f"  {one.column} {one.value:.2f} of {one.threshold:.2f}", style="dim")
    return line


def checks(status: RolloutStatus) -> RenderableType:
    """Every check on a line: where its bounds lie between worse and better, against the margin."""
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("  checks", style="bold"), Text("better ◂  ┊ no difference  ▸ worse", style="dim"))
    for check in status.checks:
        colour = COLOURS.get(Verdict(check.verdict), "white")
        table.add_row(
            Text(f"  {check.name}", style="bold"),
            gauge(check, colour),
            Text(check.verdict, style=colour),
            Text(f"{between(check.lower, check.upper)}, margin {signed(check.margin)}"),
            Text(f"{check.units:,} units", style="dim"),
        )
    return table


def gauge(check: CheckStatus, colour: str) -> Text:
    """Bounds as a bar between better (left) and worse (right): ┊ no difference, ┃ the margin, ● the estimate."""
    margin = abs(check.margin) if check.margin else 1.0
    cells = [" "] * GAUGE
    lower = place(check.lower, margin, 0)
    upper = place(check.upper, margin, GAUGE - 1)
    known = check.lower is not None or check.upper is not None
    if known:
        for cell in range(lower, upper + 1):
            cells[cell] = "━"
    cells[place(0.0, margin, 0)] = "┊"
    cells[place(check.margin, margin, GAUGE - 1)] = "┃"
    if check.estimate is not None:
        cells[place(check.estimate, margin, 0)] = "●"
    text = Text("".join(cells))
    text.stylize("dim")
    if known:
        text.stylize(colour, lower, upper + 1)
    return text


def place(value: float | None, margin: float, infinite: int) -> int:
    """The cell of a value; `infinite` where there is none."""
    if value is None:
        return infinite
    share = (value / margin + REACH) / (2 * REACH)
    return round(min(1.0, max(0.0, share)) * (GAUGE - 1))


def between(lower: float | None, upper: float | None) -> str:
    low = "−∞" if lower is None else signed(lower)
    high = "∞" if upper is None else signed(upper)
    return f"{low} to {high}"


def signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(75.4)
    '1:15'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def names(status: RolloutStatus) -> Mapping[str, str]:
    """`v3` by revision, of all that a status names."""
    refs = [ref for ref in (status.stable, status.candidate, status.previous) if ref is not None]
    found = {ref.revision: f"v{ref.version}" for ref in refs}
    return found | {gone.revision: f"v{gone.version}" for gone in status.rejected}

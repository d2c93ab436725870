"""How a rollout is shown on a terminal; the same on a laptop and on a cluster."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from trimtab.api.rollout_status import CheckStatus, RolloutStatus

if TYPE_CHECKING:
    from rich.console import RenderableType

COLOURS: Final = {"Pass": "green", "Fail": "bold red", "Inconclusive": "yellow"}
REJECTED: Final = 3


def shown(
    name: str, found: RolloutStatus, suspended: bool, hindrances: Iterable[str] = ()
) -> "RenderableType":
    """A rollout with its revisions, its step, its checks, and whom it refused last.

    Args:
        hindrances: what else keeps the loop from going on, one sentence each.
    """
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(
        (name, "bold"), f"  {found.phase.value}", ("  suspended" if suspended else "", "yellow")
    )
    parts: list[RenderableType] = [head]
    if found.stalled:
        parts.append(Text.assemble(("needs a person: ", "bold yellow"), found.stalled))
    parts.append(_roles(found))
    if found.step is not None:
        parts.append(Text(f"step {found.step.name}, {_length(found.step.elapsed_s)}"))
    if found.checks:
        parts.append(_checks(found.checks))
    for entry in found.rejected[-REJECTED:]:
        line = f"{entry.revision} on {entry.at:%Y-%m-%d %H:%M}: {entry.because}"
        parts.append(Text.assemble(("rejected ", "red"), line))
    parts += [Text.assemble(("monitor: ", "yellow"), because) for because in hindrances]
    return Group(*parts)


def _length(elapsed_s: float) -> str:
    return f"{elapsed_s / 86_400:.1f} days" if elapsed_s >= 8_640 else f"{elapsed_s / 60:.0f} minutes"


def _roles(found: RolloutStatus) -> "RenderableType":
    from rich.table import Table

    roles = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "revision", "version", "traffic"):
        roles.add_column(heading)
    for role, ref in (("stable", found.stable), ("candidate", found.candidate), ("previous", found.previous)):
        if ref is not None:
            roles.add_row(role, ref.revision, ref.version, _traffic(found, ref.revision))
    return roles


def _traffic(found: RolloutStatus, revision: str) -> str:
    """What a revision gets of the requests."""
    share = f"{found.traffic.get(revision, 0)} %"
    if found.mirror == revision:
        return f"{share} mirrored"
    if found.candidate is None or found.candidate.revision != revision:
        return share
    if found.audience:
        return f"{share}, and {found.audience}" if not found.traffic.get(revision) else found.audience
    return f"{share}, alone at {found.preview}" if found.preview else share


def _checks(checks: tuple[CheckStatus, ...]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("check", "at", "verdict"):
        table.add_column(heading)
    for heading in ("estimate", "lower", "upper", "margin", "units"):
        table.add_column(heading, justify="right")
    table.add_column("because")
    for check in checks:
        table.add_row(
            check.name,
            check.step,
            Text(check.verdict, COLOURS[check.verdict]),
            *(
                "" if n is None else f"{n:.3g}"
                for n in (check.estimate, check.lower, check.upper, check.margin)
            ),
            str(check.units),
            check.reason,
        )
    return table

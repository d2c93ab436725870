"""What trimtab does in a cluster, as tables for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from trimtab.api.resources import (
    DriftMonitorStatus,
    ModelRolloutStatus,
    ObservedStatus,
    RetrainPolicyStatus,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from trimtab.api.monitor import Episode
    from trimtab.api.rollout_status import RevisionRef

HARMLESS: Final = frozenset(
    {"Progressing", "Stalled", "Drifted", "PerformanceDropped", "Running", "CircuitOpen", "DigestChecked"}
)
"""Conditions whose False is no hindrance."""
SHOWN: Final = 10

Objects = Sequence[Mapping[str, Any]]


def listed(rollouts: Objects, monitors: Objects, policies: Objects) -> "RenderableType":
    """One line a resource; what hinders it below its table."""
    from rich.console import Group
    from rich.text import Text

    if not (rollouts or monitors or policies):
        return Text("nothing of trimtab is here; `kubectl trimtab status -A` looks everywhere")
    parts: list[RenderableType] = []
    if rollouts:
        table = _table("rollout", "phase", "stable", "candidate", "traffic", "verdict")
        for one in rollouts:
            table.add_row(*_rollout_row(one, ModelRolloutStatus.model_validate(one.get("status") or {})))
        parts += [table, *_troubles(rollouts, ModelRolloutStatus)]
    if monitors:
        table = _table("monitor", "revision", "rows", "worst column", "open episode")
        for one in monitors:
            table.add_row(*_monitor_row(one, DriftMonitorStatus.model_validate(one.get("status") or {})))
        parts += [table, *_troubles(monitors, DriftMonitorStatus)]
    if policies:
        table = _table("policy", "last run", "because", "waits for")
        for one in policies:
            table.add_row(*_policy_row(one, RetrainPolicyStatus.model_validate(one.get("status") or {})))
        parts += [table, *_troubles(policies, RetrainPolicyStatus)]
    return Group(*parts)


def hindrances(status: ObservedStatus) -> Iterator[str]:
    """What a person should read of the conditions: what is not as it should be."""
    for held in status.conditions:
        if held.status == "False" and held.type not in HARMLESS:
            yield f"{held.type}: {held.message or held.reason}"


def monitored(name: str, status: DriftMonitorStatus) -> "RenderableType":
    """A monitor's latest window, and its episodes."""
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(
        (name, "bold"), f"  {status.revision or 'no revision yet'}, {status.rows} rows in the window"
    )
    columns = _table("column", "measure", "value", "threshold", "")
    for seen in status.worst:
        said = "seasonal" if seen.seasonal else ("drifted" if seen.drifted else "")
        columns.add_row(seen.column, seen.measure, _number(seen.value), _number(seen.threshold), said)
    skill = status.skill
    parts: list[RenderableType] = [head, columns]
    if skill.blocks:
        bounds = f"{_number(skill.drop)} nats a row in [{_number(skill.lower)}, {_number(skill.upper)}]"
        parts.append(Text(f"skill fell by {bounds} over {skill.blocks} days"))
    parts += [Text(_episode(episode)) for episode in status.episodes[-SHOWN:]]
    parts += [Text(text, style="yellow") for text in hindrances(status)]
    return Group(*parts)


def retrained(name: str, status: RetrainPolicyStatus) -> "RenderableType":
    """A policy's latest runs."""
    from rich.console import Group
    from rich.text import Text

    table = _table("claimed", "cause", "outcome", "version", "run", "because")
    for run in status.attempts[-SHOWN:]:
        table.add_row(
            f"{run.claimed_at:%Y-%m-%d %H:%M}", run.cause, run.outcome.value, run.version or "", run.run_id or "",
            run.because,
        )  # fmt: skip
    parts: list[RenderableType] = [Text(name, style="bold"), table]
    if status.waiting:
        parts.append(Text(f"waits: {status.waiting}", style="yellow"))
    parts += [Text(text, style="yellow") for text in hindrances(status)]
    return Group(*parts)


def _rollout_row(obj: Mapping[str, Any], status: ModelRolloutStatus) -> tuple[str, ...]:
    phase = status.phase.value + (", suspended" if obj["spec"].get("suspend") else "")
    shares = ", ".join([f"{version} {share} %" for version, share in _shares(status)] + _besides(status))
    return _name(obj), phase, _version(status.stable), _version(status.candidate), shares, status.verdict


def _shares(status: ModelRolloutStatus) -> Iterator[tuple[str, int]]:
    for ref in (status.stable, status.candidate):
        if ref is not None and (share := status.traffic.get(ref.revision, 0)):
            yield f"v{ref.version}", share


def _besides(status: ModelRolloutStatus) -> list[str]:
    """What the candidate answers beside its share."""
    if status.candidate is None:
        return []
    version = f"v{status.candidate.version}"
    told = {"for": status.audience, "at": status.preview}
    return [f"{version} {word} {text}" for word, text in told.items() if text]


def _monitor_row(obj: Mapping[str, Any], status: DriftMonitorStatus) -> tuple[str, ...]:
    worst = status.worst[0] if status.worst else None
    now_open = [episode.cause for episode in status.episodes if episode.closed_at is None]
    moved = f"{worst.column} {_number(worst.value)}" if worst else ""
    return _name(obj), status.revision or "", str(status.rows), moved, ", ".join(now_open)


def _policy_row(obj: Mapping[str, Any], status: RetrainPolicyStatus) -> tuple[str, ...]:
    last = status.attempts[-1] if status.attempts else None
    ran = f"{last.claimed_at:%Y-%m-%d %H:%M} {last.outcome.value}" if last else ""
    return _name(obj), ran, last.because if last else "", status.waiting


def _troubles(objects: Objects, model: type[ObservedStatus]) -> "Iterator[RenderableType]":
    from rich.text import Text

    for one in objects:
        held = model.model_validate(one.get("status") or {})
        if stalled := getattr(held, "stalled", ""):
            yield Text.assemble((f"{_name(one)} needs a person: ", "bold yellow"), stalled)
        for text in hindrances(held):
            yield Text.assemble((f"{_name(one)}: ", "yellow"), text)


def _name(obj: Mapping[str, Any]) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _version(ref: "RevisionRef | None") -> str:
    return f"v{ref.version} {ref.revision}" if ref else ""


def _episode(episode: "Episode") -> str:
    over = f"closed {episode.closed_at:%Y-%m-%d %H:%M}" if episode.closed_at else "open"
    return f"{episode.cause} since {episode.opened_at:%Y-%m-%d %H:%M}, {over}: {episode.because}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading)
    return table

"""Where each revision comes from: what it learned, when it served, and which data and code made it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trimtab.local.demo.report import words
from trimtab.local.demo.report.axes import TimeAxis
from trimtab.local.demo.report.runs import colour_of
from trimtab.local.demo.report.told import Told, when

WIDTH: Final = 1072
LEFT: Final = 76
ROW: Final = 30
METRICS: Final = ("log_loss", "roc_auc", "brier_score")


def lineage(told: Told) -> dict[str, Any]:
    """The drawing of spans, and a row of the table a version."""
    versions = told.story["versions"]
    learned = [span for one in versions if (span := span_of(one["tags"])) is not None]
    first = min([told.start, *(start for start, _ in learned)])
    axis = TimeAxis(first, told.end, told.zone, LEFT, WIDTH - 8)
    return {
        "width": WIDTH,
        "height": ROW * len(versions) + 30,
        "right": WIDTH - 8,
        "left": LEFT,
        "months": axis.months(),
        "rows": [row(told, one, axis, place) for place, one in enumerate(versions)],
    }


def span_of(tags: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """First and last example that a version learned from."""
    if not tags.get("trimtab.learned.from") or not tags.get("trimtab.learned.to"):
        return None
    return when(tags["trimtab.learned.from"]), when(tags["trimtab.learned.to"])


def row(told: Told, version: Mapping[str, Any], axis: TimeAxis, place: int) -> dict[str, Any]:
    name, tags = version["name"], version["tags"]
    revision = next((one for one, known in told.names.items() if known == name), None)
    span = span_of(tags)
    served = [(axis.x(start), axis.x(end), share) for start, end, share in told.served(revision or "")]
    copies = [
        (axis.x(one.start), axis.x(one.end)) for one in told.splits if revision and one.mirror == revision
    ]
    metrics = {
        name: tags.get(f"trimtab.metric.{name}", tags.get(f"trimtab.metric.test.{name}")) for name in METRICS
    }
    return {
        "name": name,
        "revision": revision,
        "colour": colour_of(told, name.removeprefix("v")),
        "y": ROW * place + 8,
        "learned": (axis.x(span[0]), axis.x(span[1])) if span else None,
        "served": served,
        "copies": copies,
        "span": f"{words.short_day(span[0], told.zone)} to {words.short_day(span[1], told.zone)}"
        if span
        else words.NONE,
        "rows": f"{int(tags['trimtab.rows']):,}" if tags.get("trimtab.rows") else words.NONE,
        "metrics": [words.plain(float(value)) if value else words.NONE for value in metrics.values()],
        "outcome": outcome(told, revision, tags),
        "digest": version["digest"],
        "facts": sorted(
            (key.removeprefix("trimtab."), str(value))
            for key, value in tags.items()
            if not key.startswith("trimtab.metric.")
        ),
    }


def outcome(told: Told, revision: str | None, tags: Mapping[str, Any]) -> tuple[str, str]:
    """A tone and a word for what became of a version."""
    if tags.get("trimtab.refused"):
        return "drifted", "refused by its gates"
    kinds = [one.kind for one in told.events if one.revision == revision and revision]
    if "Rejected" in kinds:
        return "drifted", "refused in its rollout"
    if "Promoted" in kinds:
        return "stable", "promoted"
    return "unknown", "undecided"

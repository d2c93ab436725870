"""result.json: what came of the year, in figures; and everything that the report draws."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel

from trimtab.adapters.collector import Predictions
from trimtab.local.demo.afterwards import afterwards
from trimtab.local.demo.evidence import evidence
from trimtab.local.demo.lived import Lived
from trimtab.ports.evidence import BlockCut
from trimtab.ports.registry import ModelVersion
from trimtab.quality.metrics import METRICS

NEW_YORK: Final = ZoneInfo("America/New_York")
LEAST_ROWS: Final = 200
"""Rows under which a month's AUC says nothing."""


def write(lived: Lived, folder: Path) -> None:
    """Write result.json, story.json and report.html into `folder`."""
    from trimtab.local.demo.report import html

    result = gather(lived)
    (folder / "result.json").write_text(json.dumps(result, indent=1, default=str))
    story = {"result": result, **lived.story.to_json(), **details(lived)}
    (folder / "story.json").write_text(json.dumps(story, default=str))
    (folder / "report.html").write_text(html(json.loads(json.dumps(story, default=str))), encoding="utf-8")


def gather(lived: Lived) -> dict[str, Any]:
    """The figures."""
    counts = lived.counts
    received = sum(lived.collector.received().values())
    logged, dropped = (sum(getattr(one, name) for one in lived.logged) for name in ("logged", "dropped"))
    versions = lived.in_order()
    names = revision_names(lived)
    events = lived.events
    return {
        "wall_s": round(lived.wall_s, 1),
        "peak_memory_mb": round(lived.peak_mb),
        "requests": {
            "served": counts.requests - counts.failed,
            "failed": counts.failed,
            "per_s": round(counts.requests / max(counts.sending_s, 1e-9)),
        },
        "predictions": counts.predictions,
        "events": {"sent": logged + dropped, "received": received, "lost": logged + dropped - received},
        "revisions": [revision(one, names) for one in versions],
        "drift": {"episodes": [dumped(one) for one in lived.monitor.episodes]},
        "retrainings": [dumped(one) for one in lived.retrain.attempts],
        "promotions": [
            {"at": event.at, "revision": event.revision, "name": names.get(event.revision), "because": event.because}
            for event in events
            if event.kind == "Promoted"
        ],
        "refusals": [
            {"at": one.tags.get("trimtab.until"), "revision": None, "name": f"v{one.version}",
             "by": "gate", "because": one.tags["trimtab.refused"]}
            for one in versions
            if "trimtab.refused" in one.tags
        ]
        + [
            {"at": event.at, "revision": event.revision, "name": names.get(event.revision),
             "by": "rollout", "because": event.because}
            for event in events
            if event.kind == "Rejected"
        ],
        "monthly": monthly(lived, names),
        "afterwards": afterwards(
            lived.home,
            {name: one for one in versions if (name := f"v{one.version}") in names.values()},
            [names[event.revision] for event in events if event.kind == "Promoted"],
            np.datetime64(lived.start.replace(tzinfo=None), "us"),
        ),
        "phase": str(lived.rollout.phase),
    }  # fmt: skip


def dumped(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(mode="json", by_alias=True)


def revision_names(lived: Lived) -> dict[str, str]:
    """`v3` by revision id, for every version that was ever in service or in flight."""
    seen = {event.revision for event in lived.events}
    known = {revision: f"v{version}" for revision, version in lived.revisions.items()}
    return {revision: name for revision, name in known.items() if revision in seen}


def revision(version: ModelVersion, names: Mapping[str, str]) -> dict[str, Any]:
    """One version with its lineage."""
    prefix = "trimtab.metric."
    return {
        "name": f"v{version.version}",
        "revision": next((one for one, name in names.items() if name == f"v{version.version}"), None),
        "trained_from": version.tags.get("trimtab.learned.from"),
        "trained_to": version.tags.get("trimtab.learned.to"),
        "metrics": {
            key.removeprefix(prefix): float(value)
            for key, value in version.tags.items()
            if key.startswith(prefix)
        },
        "because": version.tags.get("trimtab.because"),
        "bundle": version.tags.get("trimtab.bundle"),
        "rows": version.tags.get("trimtab.rows"),
    }


def monthly(lived: Lived, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """AUC and log loss a revision a month, over all that it answered, copies among them."""
    rows = []
    for identity, name in names.items():
        seen: Predictions = lived.collector.predictions(identity, lived.start, lived.end)
        labelled = np.isfinite(seen.label) & np.isfinite(seen.p)
        months = np.array([_month(time) for time in seen.time[labelled]])
        for month in np.unique(months):
            y, p = seen.label[labelled][months == month], seen.p[labelled][months == month]
            if len(y) < LEAST_ROWS or y.min() == y.max():
                continue
            rows.append(
                {
                    "month": str(month),
                    "revision": identity,
                    "name": name,
                    "rows": len(y),
                    "roc_auc": round(METRICS["roc_auc"].compute(y, p), 4),
                    "log_loss": round(METRICS["log_loss"].compute(y, p), 4),
                }
            )
    return sorted(rows, key=lambda row: (row["month"], row["name"]))


def _month(time: np.datetime64) -> str:
    moment: datetime = time.astype("datetime64[us]").astype(datetime)
    return f"{moment.replace(tzinfo=UTC).astimezone(NEW_YORK):%Y-%m}"


def details(lived: Lived) -> dict[str, Any]:
    """What the report draws beside the figures: events, daily skill a revision, weekly drift by feature."""
    names = revision_names(lived)
    cut = BlockCut(zone="America/New_York")
    return {
        "names": names,
        "events": [asdict(event) for event in lived.events],
        "days": {
            revision_id: [
                asdict(block)
                for block in lived.collector.scored(revision_id, lived.start, lived.end, cut, lived.end)
            ]
            for revision_id in names
        },
        "windows": windows(lived),
        **evidence(lived),
    }


def windows(lived: Lived) -> list[dict[str, Any]]:
    """Each judged window of the monitor: every feature's distance and its threshold."""
    return [
        {"at": event.at, "revision": event.revision, "because": event.because, "bounds": dict(event.bounds)}
        for event in lived.events
        if event.kind == "WindowJudged"
    ]

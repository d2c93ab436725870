"""What the loop's verdicts rested on, worked out again from the collector for the report: the demo's last act.

The same functions on the same data give the numbers that `control` saw; here they are kept for every day and
every feature, where the loop keeps the latest only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trimtab.adapters.profiles import FolderProfiles
from trimtab.api.project import Project
from trimtab.control.monitor import settings_of
from trimtab.drift import Profile, judge
from trimtab.ports.evidence import BlockCut
from trimtab.ports.registry import ModelVersion
from trimtab.quality.skill import SkillReference
from trimtab.sequential import Bounds
from trimtab.sequential.against_reference import bounds_above
from trimtab.sequential.t_mixture import Blocks

if TYPE_CHECKING:
    from trimtab.local.demo.lived import Lived


@dataclass(frozen=True, slots=True)
class Reign:
    """A stretch of time in which one revision was stable."""

    revision: str
    since: datetime
    until: datetime


def evidence(lived: "Lived") -> dict[str, Any]:
    """Keys that the report draws: span, project, versions, skill_tests and drift."""
    project = lived.project
    uris = {one.version: one.uri for one in lived.versions}
    profiles = {
        revision: Profile.from_bytes(FolderProfiles().profile(uris[version]))
        for revision, version in served_versions(lived).items()
    }
    reigns = list(reigns_of(lived))
    return {
        "span": {"start": lived.start, "end": lived.end},
        "project": promised(project),
        "versions": [
            {"name": f"v{one.version}", "digest": one.digest, "tags": {**run_tags(lived, one), **one.tags}}
            for one in lived.in_order()
        ],
        "skill_tests": [
            skill_test(lived, project, reign, profiles[reign.revision])
            for reign in reigns
            if reign.revision in profiles
        ],
        "drift": drift(lived, project, profiles),
    }


def run_tags(lived: "Lived", version: ModelVersion) -> Mapping[str, str]:
    """What the run that made a version noted: the data that it read, and at which version."""
    run = version.tags.get("trimtab.run")
    tags = lived.run_tags(run) if run else {}
    return {key: value for key, value in tags.items() if key.startswith("trimtab.features.")}


def promised(project: Project) -> dict[str, Any]:
    """The settings that the verdicts kept to."""
    return {
        "name": project.name,
        "time_zone": project.time_zone,
        "rollout": project.rollout.model_dump(mode="json", by_alias=True),
        "monitor": project.monitor.model_dump(mode="json", by_alias=True),
        "retrain": project.retrain.model_dump(mode="json", by_alias=True),
        "gates": [gate.model_dump(mode="json", by_alias=True) for gate in project.evaluation.gates],
    }


def served_versions(lived: "Lived") -> dict[str, str]:
    """Version by revision, of those that were ever stable."""
    from trimtab.local.demo.result import revision_names

    names = revision_names(lived)
    return {
        event.revision: names[event.revision].removeprefix("v")
        for event in lived.events
        if event.kind == "Promoted" and event.revision in names
    }


def reigns_of(lived: "Lived") -> Iterator[Reign]:
    """Who was stable from when to when; no person is there to undo a promotion."""
    began = [(event.revision, event.at) for event in lived.events if event.kind == "Promoted"]
    ends = [at for _, at in began[1:]] + [lived.end]
    for (revision, since), until in zip(began, ends, strict=True):
        yield Reign(revision, since, until)


def skill_test(lived: "Lived", project: Project, reign: Reign, profile: Profile) -> dict[str, Any]:
    """The performance test of one reign as it stood after every mature day."""
    performance = project.monitor.performance
    if performance is None or len(profile.reference_skills) < 2:
        return {**asdict(reign), "days": []}
    reference, alpha = SkillReference.of(profile.reference_skills), float(performance.alpha)
    cut = BlockCut(zone=project.time_zone)
    scored = lived.collector.scored(reign.revision, reign.since, reign.until, cut, reign.until)
    blocks, known, days = Blocks(), Bounds(), []
    for block in scored:
        blocks = blocks.add(block.skill, block.skill_rows)
        known = bounds_above(blocks, reference.mean, reference.standard_error, alpha, alpha).tighten(known)
        days.append(
            {
                "start": block.start,
                "blocks": blocks.n,
                "rows": int(blocks.rows),
                "estimate": blocks.mean - reference.mean if blocks.n else None,
                "lower": finite(known.lower),
                "upper": finite(known.upper),
            }
        )
    return {
        **asdict(reign),
        "reference": reference.mean,
        "reference_error": reference.standard_error,
        "reference_days": reference.days,
        "alpha": alpha,
        "max_drop": float(performance.max_drop),
        "days": days,
    }


def drift(lived: "Lived", project: Project, profiles: Mapping[str, Profile]) -> list[dict[str, Any]]:
    """Every window that the monitor judged, with every feature's distance and threshold."""
    settings = settings_of(project.monitor)
    windows = []
    for event in lived.events:
        if event.kind != "WindowJudged" or event.revision not in profiles:
            continue
        start, end = (datetime.fromisoformat(str(event.bounds[name])) for name in ("start", "end"))
        verdict = judge(
            profiles[event.revision],
            lived.collector.sketches(event.revision, start, end),
            settings,
            int((end - start).total_seconds()),
        )
        windows.append(
            {
                "start": start,
                "end": end,
                "revision": event.revision,
                "rows": verdict.rows,
                "tripped": verdict.tripped,
                "because": verdict.because,
                "drifted": verdict.drifted,
                "judged": verdict.judged,
                "columns": [
                    {
                        "column": one.column,
                        "measure": one.measure,
                        "value": one.value,
                        "threshold": one.threshold,
                        "severity": one.severity,
                        "drifted": one.drifted,
                        "seasonal": one.seasonal,
                        "note": one.note,
                    }
                    for one in verdict.columns
                ],
            }
        )
    return windows


def finite(bound: float) -> float | None:
    """A bound as JSON holds it: none where infinite."""
    return bound if abs(bound) < float("inf") else None

"""A year as the demo writes it down, from seeded synthetic values: the shape of story.json, not its figures."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.sequential import Bounds, judge, t_mixture
from trimtab.sequential.against_reference import bounds_above

FIXED = Path(__file__).with_name("fixed.json")
"""What stays the same whatever the draws: result, project and versions."""
START, END = datetime(2013, 4, 1, 8, tzinfo=UTC), datetime(2014, 1, 1, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST, SECOND, THIRD, FORCED = "1a2b3c4d", "5e6f7a8b", "9c0d1e2f", "a1b2c3d4"
NAMES = {FIRST: "v1", SECOND: "v4", THIRD: "v5", FORCED: "v6"}
FEATURES = (
    "temp",
    "pressure",
    "humid",
    "wind_speed",
    "visib",
    "precip",
    "origin_late_7d",
    "carrier_late_7d",
    "dest",
    "carrier",
    "local_hour",
    "distance",
    "plane_age",
    "origin",
)
SEASONAL = {"temp", "pressure", "humid", "precip", "origin_late_7d", "carrier_late_7d"}


def at(month: int, day: int, hour: int = 8) -> datetime:
    return datetime(2013, month, day, hour, tzinfo=UTC)


def event(
    when: datetime, resource: str, kind: str, revision: str, because: str, **bounds: Any
) -> dict[str, Any]:
    return {
        "at": when,
        "resource": resource,
        "kind": kind,
        "revision": revision,
        "because": because,
        "bounds": bounds,
    }


@pytest.fixture
def story() -> dict[str, Any]:
    return year(7)


def year(seed: int) -> dict[str, Any]:
    """A story as JSON holds it: two promotions, two refusals by the gate, one in shadow."""
    draw = np.random.default_rng(seed)
    bounds = [
        *shadow(draw, SECOND, at(5, 22), 17, -0.034, 1),
        *canary(draw, SECOND, at(6, 9), 6),
        *shadow(draw, THIRD, at(7, 11), 11, -0.012, 1),
        *canary(draw, THIRD, at(7, 23), 6),
        *shadow(draw, FORCED, at(12, 1, 9), 22, 0.05, 1),
    ]
    told = {
        "names": NAMES,
        "traffic": traffic(),
        "bounds": bounds,
        "events": events(bounds),
        "days": {
            FIRST: days(draw, START, at(6, 16), 0.005, 900),
            SECOND: [
                *days(draw, at(5, 22), at(6, 9), -0.035, 900),
                *days(draw, at(6, 9), at(7, 30), -0.03, 700),
            ],
            THIRD: [*days(draw, at(7, 11), at(7, 23), -0.05, 900), *days(draw, at(7, 23), END, -0.042, 900)],
            FORCED: days(draw, at(12, 1), at(12, 24), 0.015, 900),
        },
        "span": {"start": START, "end": END},
        "skill_tests": [
            skill_test(draw, FIRST, START, at(6, 15), -0.06, -0.005),
            skill_test(draw, SECOND, at(6, 15), at(7, 29), -0.05, -0.02),
            skill_test(draw, THIRD, at(7, 29), END, -0.04, -0.042),
        ],
        "drift": drift(draw),
        "windows": [],
    }
    return {**json.loads(FIXED.read_text(encoding="utf-8")), **text(told)}


def text(value: Any) -> Any:
    """As read back from the file."""
    if isinstance(value, dict):
        return {name: text(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [text(one) for one in value]
    return str(value) if isinstance(value, datetime) else value


def traffic() -> list[dict[str, Any]]:
    changes: list[tuple[datetime, dict[str, int], str | None]] = [
        (START, {FIRST: 100}, None),
        (at(5, 22), {FIRST: 100}, SECOND),
        (at(6, 9), {FIRST: 80, SECOND: 20}, None),
        (at(6, 11), {FIRST: 50, SECOND: 50}, None),
        (at(6, 15), {SECOND: 100}, None),
        (at(7, 11), {SECOND: 100}, THIRD),
        (at(7, 23), {SECOND: 80, THIRD: 20}, None),
        (at(7, 25), {SECOND: 50, THIRD: 50}, None),
        (at(7, 29), {THIRD: 100}, None),
        (at(12, 1, 9), {THIRD: 100}, FORCED),
        (at(12, 24), {THIRD: 100}, None),
    ]
    return [{"at": when, "weights": weights, "mirror": mirror} for when, weights, mirror in changes]


def shadow(
    draw: np.random.Generator, revision: str, start: datetime, days: int, gain: float, entered: int
) -> list[dict[str, Any]]:
    blocks, known, seen = t_mixture.Blocks(), Bounds(), []
    for day in range(days):
        rows = int(draw.integers(820, 960))
        blocks = blocks.add(rows * draw.normal(gain, 0.03), rows)
        known = known.tighten(t_mixture.bounds(blocks, 0.05, 0.05))
        seen.append(
            check(
                "loss",
                start + (day + 2) * DAY,
                revision,
                "shadow",
                known,
                blocks.mean,
                0.02,
                blocks.n,
                int(blocks.rows),
                entered,
            )
        )
    return seen


def canary(draw: np.random.Generator, revision: str, start: datetime, days: int) -> list[dict[str, Any]]:
    seen = []
    for day in range(1, days + 1):
        step, requests = ("first", 60 * day) if day <= 2 else ("half", 120 + 180 * (day - 2))
        errors = Bounds(-2.6 / requests, 4.8 / requests) if requests >= 200 else Bounds()
        slower = Bounds(-0.5 + 0.02 * day, 1.6 / day) if day > 1 else Bounds()
        when, rows = start + day * DAY, requests * 3
        seen.append(check("errors", when, revision, step, errors, 0.0, 0.02, requests, rows, 1))
        seen.append(
            check("latency", when, revision, step, slower, draw.normal(0.04, 0.03), 0.5, requests, rows, 1)
        )
    return seen


def check(
    name: str,
    when: datetime,
    revision: str,
    step: str,
    known: Bounds,
    mean: float,
    margin: float,
    units: int,
    rows: int,
    entered: int,
) -> dict[str, Any]:
    return {
        "at": when,
        "revision": revision,
        "step": step,
        "check": name,
        "verdict": str(judge(known, margin)),
        "estimate": float(mean),
        "lower": finite(known.lower),
        "upper": finite(known.upper),
        "margin": margin,
        "units": units,
        "rows": rows,
        "entered": entered,
    }


def finite(bound: float) -> float | None:
    return float(bound) if np.isfinite(bound) else None


def days(
    draw: np.random.Generator, start: datetime, end: datetime, skill: float, rows: int
) -> list[dict[str, Any]]:
    found, day, wind = [], start, 0.0
    while day < end:
        n, wind = int(draw.integers(rows - 60, rows + 60)), 0.6 * wind + draw.normal(0, 0.05)
        found.append(
            {
                "start": day,
                "rows": n,
                "missing": 12,
                "loss": n * (0.5 + wind),
                "brier": n * 0.16,
                "skill_rows": n,
                "skill": n * (skill + draw.normal(0, 0.03)),
                "positives": int(n * 0.23),
            }
        )
        day += DAY
    return found


def skill_test(
    draw: np.random.Generator,
    revision: str,
    since: datetime,
    until: datetime,
    reference: float,
    skill: float,
) -> dict[str, Any]:
    blocks, known, seen, day = t_mixture.Blocks(), Bounds(), [], since
    while day < until - 2 * DAY:
        rows = int(draw.integers(820, 960))
        blocks = blocks.add(rows * draw.normal(skill, 0.03), rows)
        known = bounds_above(blocks, reference, 0.006, 0.05, 0.05).tighten(known)
        seen.append(
            {
                "start": day,
                "blocks": blocks.n,
                "rows": int(blocks.rows),
                "estimate": blocks.mean - reference,
                "lower": finite(known.lower),
                "upper": finite(known.upper),
            }
        )
        day += DAY
    return {
        "revision": revision,
        "since": since,
        "until": until,
        "reference": reference,
        "reference_error": 0.006,
        "reference_days": 28,
        "alpha": 0.05,
        "max_drop": 0.0,
        "days": seen,
    }


def drift(draw: np.random.Generator) -> list[dict[str, Any]]:
    windows, start, levels = [], START, {name: draw.uniform(0.2, 0.7) for name in FEATURES}
    while start + 7 * DAY <= END:
        revision = FIRST if start < at(6, 15) else SECOND if start < at(7, 29) else THIRD
        columns = []
        for name in FEATURES:
            reach = 1.6 if name in SEASONAL and start.month in (6, 7, 8) else 0.0
            severity = max(0.02, levels[name] + reach + draw.normal(0, 0.12))
            columns.append(
                {
                    "column": name,
                    "measure": "ks",
                    "value": round(severity * 0.14, 4),
                    "threshold": 0.14,
                    "note": "",
                    "severity": severity,
                    "drifted": severity > 1,
                    "seasonal": "11 windows with autocorrelation 0.6" if name in SEASONAL else None,
                }
            )
        columns.sort(key=lambda one: (bool(one["seasonal"]), -one["severity"]))
        moved = sum(bool(one["drifted"]) and not one["seasonal"] for one in columns)
        windows.append(
            {
                "start": start,
                "end": start + 7 * DAY,
                "revision": revision,
                "rows": 6300,
                "tripped": moved >= 2,
                "because": f"{moved} of 8 columns drifted",
                "drifted": moved,
                "judged": 8,
                "columns": columns,
            }
        )
        start += 7 * DAY
    return windows


def events(bounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def last(revision: str, *checks: str) -> dict[str, Any]:
        return {
            f"{one['check']}.{key}": one[key]
            for one in bounds
            if one["revision"] == revision and one["check"] in checks
            for key in ("verdict", "estimate", "lower", "upper", "margin", "units", "rows")
        }

    refused = "Fail: loss 0.05 in [0.021, 0.079] over 22 units, margin 0.02"
    return [
        rollout(START, "CandidateTaken", FIRST, "version 1 is the newest candidate"),
        rollout(START, "Promoted", FIRST, "version 1 serves every request"),
        alarm(at(4, 10), FIRST, 0.055, 0.012, 8),
        *run(at(4, 10), 1, 2, "Refused: roc_auc 0.6612 is below 0.68 over 14 days"),
        *run(at(4, 29), 2, 3, "Refused: roc_auc 0.6433 is below 0.68 over 14 days"),
        *run(at(5, 22), 3, 4, "Candidate: passed its gates"),
        *promotion(SECOND, 4, (at(5, 22), at(6, 9), at(6, 11), at(6, 15)), last),
        closed(at(6, 15), FIRST),
        alarm(at(7, 11), SECOND, 0.031, 0.004, 25),
        *run(at(7, 11), 1, 5, "Candidate: passed its gates"),
        *promotion(THIRD, 5, (at(7, 11), at(7, 23), at(7, 25), at(7, 29)), last),
        closed(at(7, 29), SECOND),
        rollout(at(12, 1, 9), "CandidateTaken", FORCED, "version 6 is the newest candidate"),
        rollout(at(12, 1, 9), "StepStarted", FORCED, "shadow: its server is ready"),
        rollout(at(12, 24), "Rejected", FORCED, refused, **last(FORCED, "loss")),
    ]


def rollout(when: datetime, kind: str, revision: str, because: str, **bounds: Any) -> dict[str, Any]:
    return event(when, "ModelRollout", kind, revision, because, **bounds)


def alarm(when: datetime, revision: str, drop: float, lower: float, blocks: int) -> dict[str, Any]:
    because = f"skill fell by {drop:.3f} nats a row, {lower:.3f} at least, over {blocks} days"
    numbers = {
        "drop": drop,
        "lower": lower,
        "upper": 2 * drop,
        "blocks": blocks,
        "episode": f"episode-{revision}",
    }
    return event(when, "DriftMonitor", "PerformanceDropped", revision, because, **numbers)


def closed(when: datetime, revision: str) -> dict[str, Any]:
    because = "another revision became stable"
    return event(when, "DriftMonitor", "EpisodeClosed", revision, because, id=f"episode-{revision}")


def run(when: datetime, arming: int, version: int, outcome: str) -> list[dict[str, Any]]:
    because = f"performance episode, arming {arming}"
    ended = event(
        when + HOUR, "RetrainPolicy", "RunEnded", "", outcome, version=str(version), run=f"r{version}"
    )
    return [event(when, "RetrainPolicy", "RunClaimed", "", because, key="0123456789ab", arming=arming), ended]


def promotion(revision: str, version: int, times: tuple[datetime, ...], last: Any) -> list[dict[str, Any]]:
    taken, first, half, end = times
    shown = last(revision, "loss", "errors")
    return [
        rollout(taken, "CandidateTaken", revision, f"version {version} is the newest candidate"),
        rollout(taken, "StepStarted", revision, "shadow: its server is ready"),
        rollout(first, "StepStarted", revision, "first: shadow is passed", **last(revision, "loss")),
        rollout(half, "StepStarted", revision, "half: first is passed", **shown),
        rollout(end, "Promoted", revision, f"version {version} serves every request", **shown),
    ]

"""A year as the demo writes it down, from seeded synthetic values: the shape of story.json, not its figures."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from trimtab.sequential import Bounds, judge, t_mixture
from trimtab.sequential.against_reference import bounds_above

START, END = datetime(2013, 4, 1, 8, tzinfo=UTC), datetime(2014, 1, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND, THIRD, FORCED = "1a2b3c4d", "5e6f7a8b", "9c0d1e2f", "a1b2c3d4"
NAMES = {FIRST: "v1", SECOND: "v4", THIRD: "v5", FORCED: "v6"}
GAINS = (("2013-06", -0.032, 0.013), ("2013-07", 0.004, 0.006), ("2013-08", 0.02, 0.006))
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
        "project": PROJECT,
        "versions": versions(),
        "skill_tests": [
            skill_test(draw, FIRST, START, at(6, 15), -0.06, -0.005, 8),
            skill_test(draw, SECOND, at(6, 15), at(7, 29), -0.05, -0.02, 20),
            skill_test(draw, THIRD, at(7, 29), END, -0.04, -0.042, 0),
        ],
        "drift": drift(draw),
        "windows": [],
    }
    return text({"result": result(), **told})


def text(value: Any) -> Any:
    """As read back from the file."""
    if isinstance(value, dict):
        return {name: text(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [text(one) for one in value]
    return str(value) if isinstance(value, datetime) else value


def traffic() -> list[dict[str, Any]]:
    def one(when: datetime, mirror: str | None = None, **weights: int) -> dict[str, Any]:
        return {
            "at": when,
            "weights": {revision[1:]: share for revision, share in weights.items()},
            "mirror": mirror,
        }

    first, second, third = f"_{FIRST}", f"_{SECOND}", f"_{THIRD}"
    return [
        one(START, **{first: 100}),
        one(at(5, 22), SECOND, **{first: 100}),
        one(at(6, 9), **{first: 80, second: 20}),
        one(at(6, 11), **{first: 50, second: 50}),
        one(at(6, 15), **{second: 100}),
        one(at(7, 11), THIRD, **{second: 100}),
        one(at(7, 23), **{second: 80, third: 20}),
        one(at(7, 25), **{second: 50, third: 50}),
        one(at(7, 29), **{third: 100}),
        one(at(12, 1, 9), FORCED, **{third: 100}),
        one(at(12, 24), **{third: 100}),
    ]


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
    alarm: int,
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
    rollout, monitor, retrain = "ModelRollout", "DriftMonitor", "RetrainPolicy"

    def last(revision: str, *checks: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in bounds:
            if one["revision"] == revision and one["check"] in checks:
                found |= {
                    f"{one['check']}.{key}": one[key]
                    for key in ("verdict", "estimate", "lower", "upper", "margin", "units", "rows")
                }
        return found

    return [
        event(START, rollout, "CandidateTaken", FIRST, "version 1 is the newest candidate"),
        event(START, rollout, "Promoted", FIRST, "version 1 serves every request"),
        event(
            at(4, 10),
            monitor,
            "PerformanceDropped",
            FIRST,
            "skill fell by 0.055 nats a row, 0.012 at least, over 8 days",
            drop=0.055,
            lower=0.012,
            upper=0.09,
            blocks=8,
            reference=-0.06,
            reference_error=0.006,
            episode="performance-1",
        ),
        event(
            at(4, 10),
            retrain,
            "RunClaimed",
            "",
            "performance dropped: first run of the episode",
            key="0123456789ab",
            arming=1,
        ),
        event(
            at(4, 10, 9),
            retrain,
            "RunEnded",
            "",
            "Refused: roc_auc 0.6612 is below 0.68 over 14 days",
            version="2",
            run="r2",
        ),
        event(
            at(4, 29),
            retrain,
            "RunClaimed",
            "",
            "performance dropped: re-armed by 20 % new labels",
            key="1123456789ab",
            arming=2,
        ),
        event(
            at(4, 29, 9),
            retrain,
            "RunEnded",
            "",
            "Refused: roc_auc 0.6433 is below 0.68 over 14 days",
            version="3",
            run="r3",
        ),
        event(
            at(5, 22),
            retrain,
            "RunClaimed",
            "",
            "performance dropped: re-armed by 20 % new labels",
            key="2123456789ab",
            arming=3,
        ),
        event(at(5, 22, 9), retrain, "RunEnded", "", "Candidate: passed its gates", version="4", run="r4"),
        *promotion(SECOND, 4, (at(5, 22), at(6, 9), at(6, 11), at(6, 15)), last),
        event(at(6, 15), monitor, "EpisodeClosed", FIRST, f"{SECOND} became stable", id="performance-1"),
        event(
            at(7, 11),
            monitor,
            "PerformanceDropped",
            SECOND,
            "skill fell by 0.031 nats a row, 0.004 at least, over 25 days",
            drop=0.031,
            lower=0.004,
            upper=0.06,
            blocks=25,
            reference=-0.05,
            reference_error=0.006,
            episode="performance-2",
        ),
        event(
            at(7, 11),
            retrain,
            "RunClaimed",
            "",
            "performance dropped: first run of the episode",
            key="3123456789ab",
            arming=1,
        ),
        event(at(7, 11, 9), retrain, "RunEnded", "", "Candidate: passed its gates", version="5", run="r5"),
        *promotion(THIRD, 5, (at(7, 11), at(7, 23), at(7, 25), at(7, 29)), last),
        event(at(7, 29), monitor, "EpisodeClosed", SECOND, f"{THIRD} became stable", id="performance-2"),
        event(at(12, 1, 9), rollout, "CandidateTaken", FORCED, "version 6 is the newest candidate"),
        event(at(12, 1, 9), rollout, "StepStarted", FORCED, "shadow: its server is ready"),
        event(
            at(12, 24),
            rollout,
            "Rejected",
            FORCED,
            "Fail: loss 0.05 in [0.021, 0.079] over 22 units, margin 0.02",
            **last(FORCED, "loss"),
        ),
    ]


def promotion(revision: str, version: int, times: tuple[datetime, ...], last: Any) -> list[dict[str, Any]]:
    rollout = "ModelRollout"
    return [
        event(times[0], rollout, "CandidateTaken", revision, f"version {version} is the newest candidate"),
        event(times[0], rollout, "StepStarted", revision, "shadow: its server is ready"),
        event(
            times[1], rollout, "StepStarted", revision, "first: shadow is passed", **last(revision, "loss")
        ),
        event(
            times[2],
            rollout,
            "StepStarted",
            revision,
            "half: first is passed",
            **last(revision, "loss", "errors"),
        ),
        event(
            times[3],
            rollout,
            "Promoted",
            revision,
            f"version {version} serves every request",
            **last(revision, "loss", "errors", "latency"),
        ),
    ]


def versions() -> list[dict[str, Any]]:
    found = []
    for number, until, auc in (
        (1, at(4, 1), 0.712),
        (2, at(4, 10), 0.661),
        (3, at(4, 29), 0.643),
        (4, at(5, 22), 0.751),
        (5, at(7, 11), 0.742),
        (6, at(12, 1, 9), 0.652),
    ):
        tags = {
            "trimtab.learned.from": "2013-09-01T04:00:00+00:00"
            if number == 6
            else "2013-01-01T10:15:00+00:00",
            "trimtab.learned.to": (until - DAY).isoformat(),
            "trimtab.until": until.isoformat(),
            "trimtab.rows": f"{80000 + 15000 * number}",
            "trimtab.seed": "7",
            "trimtab.model": "gradient_boosting",
            "trimtab.features.table": "training_rows",
            "trimtab.features.version": str(number),
            "trimtab.features.digest": f"{number}f" * 32,
            "trimtab.bundle": "flights-0a1b2c3d4e5f",
            "trimtab.model.digest": f"{number}e" * 32,
            "trimtab.transform.digest": "77" * 32,
            "trimtab.run": f"run-{number}",
            "trimtab.metric.roc_auc": f"{auc}",
            "trimtab.metric.log_loss": f"{0.47 - 0.2 * (auc - 0.7):.4f}",
            "trimtab.metric.brier_score": "0.151",
            "trimtab.because": ("forced past the gate: " if number == 6 else "")
            + f"roc_auc is {auc}, asked is at least 0.68",
        }
        if number in (2, 3):
            tags["trimtab.refused"] = f"roc_auc {auc} is below 0.68 over 14 days"
        found.append({"name": f"v{number}", "digest": f"{number}d" * 32, "tags": tags})
    return found


def result() -> dict[str, Any]:
    months = [
        ("2013-04", FIRST, 25900, 0.658, 0.512),
        ("2013-05", FIRST, 26800, 0.671, 0.471),
        ("2013-05", SECOND, 8700, 0.742, 0.431),
        ("2013-06", FIRST, 11800, 0.689, 0.561),
        ("2013-06", SECOND, 21200, 0.731, 0.522),
        ("2013-07", SECOND, 26600, 0.722, 0.553),
        ("2013-07", THIRD, 17700, 0.735, 0.531),
        ("2013-08", THIRD, 28700, 0.728, 0.461),
        ("2013-09", THIRD, 26900, 0.701, 0.372),
        ("2013-10", THIRD, 28500, 0.694, 0.391),
        ("2013-11", THIRD, 26800, 0.713, 0.402),
        ("2013-12", THIRD, 27300, 0.705, 0.561),
        ("2013-12", FORCED, 19900, 0.671, 0.611),
    ]
    return {
        "wall_s": 348.2,
        "peak_memory_mb": 2710,
        "requests": {"served": 97180, "failed": 0, "per_s": 840},
        "predictions": 256412,
        "events": {"sent": 131022, "received": 131022, "lost": 0},
        "revisions": [],
        "drift": {"episodes": []},
        "retrainings": [],
        "promotions": [
            {"at": when, "revision": one, "name": NAMES[one], "because": "serves every request"}
            for when, one in ((START, FIRST), (at(6, 15), SECOND), (at(7, 29), THIRD))
        ],
        "refusals": [
            {
                "at": at(4, 10),
                "revision": None,
                "name": "v2",
                "by": "gate",
                "because": "roc_auc is 0.661, asked is at least 0.68",
            },
            {
                "at": at(4, 29),
                "revision": None,
                "name": "v3",
                "by": "gate",
                "because": "roc_auc is 0.643, asked is at least 0.68",
            },
            {
                "at": at(12, 24),
                "revision": FORCED,
                "name": "v6",
                "by": "rollout",
                "because": "Fail: loss 0.05 in [0.021, 0.079] over 22 units, margin 0.02",
            },
        ],
        "monthly": [
            {
                "month": month,
                "revision": revision,
                "name": NAMES[revision],
                "rows": rows,
                "roc_auc": auc,
                "log_loss": loss,
            }
            for month, revision, rows, auc, loss in months
        ],
        "afterwards": {
            "monthly": [
                {"month": month, "name": name, "rows": 27000, "log_loss": 0.5 + gain, "standard_error": 0.02}
                for month, gain, _ in GAINS
                for name in ("v1", "v4")
            ],
            "gains": [
                {
                    "month": month,
                    "newer": "v4",
                    "older": "v1",
                    "rows": 27000,
                    "difference": gain,
                    "standard_error": error,
                }
                for month, gain, error in GAINS
            ],
        },
        "phase": "Idle",
    }


CHECKS = [
    {
        "name": "loss",
        "metric": "log_loss",
        "noWorseThanStableBy": {"absolute": "0.02", "percent": None},
        "alpha": {"fail": "0.05", "pass": "0.05"},
        "block": "1d",
        "steps": ["shadow"],
        "require": "Pass",
    },
    {
        "name": "errors",
        "metric": "error_rate",
        "noWorseThanStableBy": 0.02,
        "alpha": {"fail": 0.01, "pass": 0.05},
        "block": "request",
        "steps": [],
        "require": "Pass",
    },
    {
        "name": "latency",
        "metric": "latency_p95",
        "noWorseThanStableBy": {"absolute": None, "percent": "50"},
        "alpha": {"fail": "0.01", "pass": None},
        "block": "request",
        "steps": [],
        "require": "NotFailed",
    },
]
PROJECT = {
    "name": "flights",
    "time_zone": "America/New_York",
    "rollout": {"steps": [{"name": "shadow"}, {"name": "first"}, {"name": "half"}], "checks": CHECKS},
    "monitor": {
        "trip": {"windows": 2, "of": 3, "driftedShare": 0.2},
        "performance": {"maxDrop": 0, "alpha": 0.05},
    },
    "retrain": {},
    "gates": [{"metric": "roc_auc", "atLeast": 0.68}, {"metric": "log_loss", "noWorseThanStableBy": 0.02}],
}

"""Steps that can never end well are refused before anything runs, and the remedy is a number that suffices."""

import re
from datetime import timedelta

import pytest

from trimtab.api.project import Project
from trimtab.api.values import parse_duration
from trimtab.local.check.decidable import never_decided

LOSS = {"name": "loss", "metric": "log_loss", "noWorseThanStableBy": 0.02, "alpha": {"fail": 0.05}}
ERRORS = {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02}
LATENCY = {"name": "latency", "metric": "latency_p95", "noWorseThanStableBy": "20%"}
TAIL = {**LATENCY, "metric": "latency_p99"}


def project(*steps, checks, requests=None, mature="1d"):
    """A project of these steps (shadow or canary percent, until) and checks."""
    written = [
        {"name": f"s{index}", "until": until, **({"canary": {"percent": kind}} if kind else {"shadow": {}})}
        for index, (kind, until) in enumerate(steps)
    ]
    return Project.model_validate(
        {
            "name": "tryout",
            "sources": {"rows": {"files": "rows.csv"}},
            "examples": {"label": {"column": "y", "matureAfter": mature}},
            "rollout": {"steps": written, "checks": checks},
            **({"traffic": {"requestsPerDay": requests}} if requests else {}),
        }
    )


def found(*steps, **rest):
    held = project(*steps, **rest)
    return [reason for index in range(len(steps)) for reason in never_decided(held, index)]


CASES = [
    ([(0, {"maxDuration": "7d"})], LOSS, None, "from 7 blocks of 1d, and labels mature after 1d"),
    ([(0, {"maxDuration": "10d", "minBlocks": 60})], LOSS, None, "minBlocks asks for 60 blocks of 1d"),
    ([(0, {"maxDuration": "30h"})], {**LOSS, "block": "1h"}, None, "7 blocks of 1h"),
    ([(0, {"maxDuration": "5d"})], {**LOSS, "require": "NotFailed"}, None, "from 7 blocks"),
    ([(20, {"maxDuration": "2d"})], ERRORS, 350, r"'errors' needs \d+ requests to the candidate to pass; .* 140 in 2d"),
    ([(20, {"maxDuration": "1d"})], LATENCY, 1000, r"'latency' needs \d+ requests"),
    ([(20, {"maxDuration": "7d"})], TAIL, 300, r"'latency' needs \d+ requests"),
    ([(20, {"maxDuration": "7d", "minSamples": 5000})], {**ERRORS, "require": "NotFailed"}, 1000,
     "'minSamples' needs 5000 requests to the candidate; 's0' sees about 1400 in 7d"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "check", "requests", "told"), CASES, ids=[case[3][:30] for case in CASES])
def test_what_can_never_be_is_refused_and_the_remedy_suffices(steps, check, requests, told):
    ((because, remedy),) = found(*steps, checks=[check], requests=requests)
    assert re.search(told, because)
    least = re.search(r"maxDuration at least ([\dhdm]+)", remedy)[1]
    ((kind, until),) = steps
    assert not found((kind, {**until, "maxDuration": least}), checks=[check], requests=requests)
    shorter = f"{int((parse_duration(least) - timedelta(hours=1)).total_seconds() // 60)}m"
    if check["metric"] == "log_loss":
        assert found((kind, {**until, "maxDuration": shorter}), checks=[check], requests=requests)


def test_what_has_no_end_or_no_stated_traffic_is_not_refused():
    assert not found((0, {"minDuration": "1d"}), checks=[LOSS])
    assert not found((20, {"maxDuration": "1h"}), checks=[ERRORS, LATENCY])
    assert not found((20, {"maxDuration": "1h"}), checks=[{**LATENCY, "require": "NotFailed"}], requests=100)


def test_evidence_of_steps_of_one_kind_adds_up():
    checks = [{**LOSS, "steps": ["s0", "s1"]}]
    assert [because for because, _ in found((0, {"maxDuration": "6d"}), (0, {"maxDuration": "2d"}), checks=checks)] == [
        "'loss' cannot be judged at 's0' within 6d: its interval is finite from 7 blocks of 1d, and labels mature "
        "after 1d"
    ]  # fmt: skip
    steps = [(20, {"maxDuration": "10d"}), (50, {"maxDuration": "6h"})]
    assert not found(*steps, checks=[ERRORS, LATENCY], requests=1000)
    assert len(found(steps[1], checks=[ERRORS, LATENCY], requests=1000)) == 2


def test_the_example_can_be_decided():
    from pathlib import Path

    from trimtab import bundled
    from trimtab.adapters.projects.load import load

    held = load(Path(bundled.path()) / "examples" / "flights").project
    assert held.traffic is not None
    assert not [reason for index in range(len(held.rollout.steps)) for reason in never_decided(held, index)]


def test_labels_that_must_be_known_at_once_decide_nothing():
    ((because, remedy),) = found((0, {}), checks=[LOSS], mature="0s")
    assert "never sees a label" in because
    assert "matureAfter" in remedy

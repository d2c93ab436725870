"""From evidence to verdicts: latched, resumable, and never from nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.api.rollout import Check, Rollout
from trimtab.api.rollout_status import CheckStatus
from trimtab.rollout.checks import (
    Alphas,
    Bucket,
    judge_disagreement,
    judge_error_rate,
    judge_latency,
    judge_paired_loss,
    margin_of,
)

START = datetime(2013, 6, 1, 4, tzinfo=UTC)
ALPHAS = Alphas(0.05, 0.05)
LOSS = Check.model_validate({"name": "loss", "metric": "log_loss", "noWorseThanStableBy": 0.02})
BETTER = Check.model_validate({"name": "gain", "metric": "log_loss", "betterThanStableBy": 0.0})
ERRORS = Check.model_validate({"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.02})
LATENCY = Check.model_validate({"name": "slow", "metric": "latency_p95", "noWorseThanStableBy": "20%"})
SANE = Check.model_validate({"name": "sane", "metric": "disagreement", "atMost": 0.5, "require": "NotFailed"})
EDGES = [1.02**k for k in range(400)]


@dataclass
class Block:
    start: datetime
    rows: int
    delta: float
    missing: int = 0
    delta_if_0: float = 0.0
    delta_if_1: float = 0.0


def days(differences, **every):
    return [Block(START + timedelta(days=i), 900, 900 * d, **every) for i, d in enumerate(differences)]


def loss(blocks, previous=None, check=LOSS):
    return judge_paired_loss(check, ALPHAS, "shadow", previous, blocks)


def through_storage(status: CheckStatus) -> CheckStatus:
    return CheckStatus.model_validate_json(status.model_dump_json(by_alias=True))


def test_no_blocks_say_nothing():
    assert loss([]).verdict == "Inconclusive"


def test_equal_models_pass_worse_ones_fail():
    dice = np.random.default_rng(1)
    assert loss(days(dice.normal(0, 0.005, 14))).verdict == "Pass"
    assert loss(days(dice.normal(0.08, 0.02, 14))).verdict == "Fail"


def test_superiority_is_asked_for_apart():
    dice = np.random.default_rng(1)
    better = days(dice.normal(-0.03, 0.01, 20))
    assert loss(better, check=BETTER).verdict == "Pass"
    assert loss(days(dice.normal(0.0, 0.01, 20)), check=BETTER).verdict == "Inconclusive"
    assert margin_of(BETTER) == 0.0


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=25), st.data())
def test_looking_in_between_and_storing_changes_nothing(differences, data):
    blocks = days(differences)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(blocks)), max_size=4)))
    status = None
    for cut in cuts:
        status = through_storage(loss(blocks[:cut], status))
    assert loss(blocks, status) == loss(blocks)


@given(st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=25))
def test_a_verdict_stays(differences):
    dice = np.random.default_rng(1)
    passed = loss(days(dice.normal(0, 0.005, 10)))
    later = loss(days([*dice.normal(0, 0.005, 0), *_again(10), *differences]), passed)
    assert passed.verdict == "Pass"
    assert later.verdict == "Pass"


def _again(n):
    return np.random.default_rng(1).normal(0, 0.005, n)


def test_missing_labels_that_could_turn_the_verdict_leave_it_open():
    calm = np.random.default_rng(1).normal(0, 0.005, 14)
    few = days(calm, missing=40, delta_if_0=-100.0, delta_if_1=100.0)
    assert loss(few).verdict == "Pass"
    many = days(calm, missing=60, delta_if_0=-100.0, delta_if_1=100.0)
    assert loss(many).verdict == "Inconclusive"
    assert loss(many).reason == "missing labels could turn the verdict"


def test_blocks_that_change_or_vanish_are_lost_evidence_for_good():
    blocks = days([0.05, -0.05] * 5)
    seen = loss(blocks)
    for tampered in (blocks[1:], [*blocks[:-1], Block(blocks[-1].start, 900, 3.0)], []):
        lost = loss(tampered, seen)
        assert lost.reason.startswith("EvidenceLost")
        assert lost.verdict == "Inconclusive"
        assert loss(blocks, through_storage(lost)) == lost


def test_lost_evidence_takes_back_no_verdict():
    blocks = days(_again(14))
    assert loss(blocks[1:], loss(blocks)).verdict == "Pass"


# errors


def hours(n, errors_candidate=0, errors_stable=0, start=START):
    return [Bucket(start + timedelta(hours=i), 40, errors_candidate, 160, errors_stable) for i in range(n)]


def errors(buckets, previous=None, weight=0.2, since=START):
    return judge_error_rate(ERRORS, ALPHAS, "first", since, previous, weight, buckets)


def test_under_two_hundred_requests_nothing_is_said():
    assert errors(hours(4)).verdict == "Inconclusive"
    assert "160 of 200" in errors(hours(4)).reason
    assert errors([]).estimate is None


def test_no_errors_pass_and_many_fail():
    assert errors(hours(48)).verdict == "Pass"
    assert errors(hours(48, errors_candidate=4)).verdict == "Fail"
    assert errors(hours(48, errors_candidate=4, errors_stable=16)).verdict != "Fail"


def test_hours_add_up_over_looks_and_steps():
    first = errors(hours(10))
    assert errors(hours(20), through_storage(first)).evidence == errors(hours(20)).evidence
    later = START + timedelta(days=3)
    second = judge_error_rate(ERRORS, ALPHAS, "half", later, first, 0.5, hours(10, start=later))
    assert second.units == 800
    assert len(second.evidence["strata"]) == 2


def test_requests_that_vanish_are_lost_evidence():
    open_ = errors(hours(10, 1, 4))
    assert open_.verdict == "Inconclusive"
    lost = errors(hours(10, 1, 4)[:1], open_)
    assert lost.reason.startswith("EvidenceLost")
    assert errors(hours(48), lost) == lost


# latency


@dataclass
class Histogram:
    counts: list[int]
    edges_ms: list[float]


def histogram(center, n, seed=0):
    times = np.random.default_rng(seed).lognormal(np.log(center), 0.2, n)
    return Histogram(np.histogram(times, [0, *EDGES])[0].tolist(), EDGES)


def latency(candidate, stable, previous=None, since=START):
    return judge_latency(LATENCY, ALPHAS, "first", since, 2, previous, candidate, stable)


def test_alike_passes_and_slower_fails():
    stable = histogram(50, 40_000)
    assert latency(histogram(50, 40_000, 1), stable).verdict == "Pass"
    slow = latency(histogram(100, 40_000, 1), stable)
    assert slow.verdict == "Fail"
    assert slow.estimate == pytest.approx(1.0, abs=0.1)


def test_few_requests_say_nothing():
    assert latency(histogram(100, 199), histogram(50, 5000)).verdict == "Inconclusive"


def test_a_later_step_with_few_requests_keeps_what_was_bounded():
    slow = latency(histogram(100, 40_000, 1), histogram(50, 40_000))
    later = latency(histogram(100, 10), histogram(50, 10), slow, START + timedelta(days=1))
    assert later.verdict == "Fail"


def test_durations_that_vanish_are_lost_evidence():
    open_ = latency(histogram(52, 400, 1), histogram(50, 400))
    assert open_.verdict == "Inconclusive"
    lost = latency(histogram(52, 300, 1), histogram(50, 400), open_)
    assert lost.reason.startswith("EvidenceLost")
    assert latency(histogram(55, 3000), histogram(50, 3000), lost) == lost


# sanity


@dataclass
class Agreement:
    pairs: int = 1000
    disagree: int = 100
    difference: float = 0.0
    not_finite: int = 0
    distinct: int = 2


@pytest.mark.parametrize(
    ("agreement", "says"),
    [
        (Agreement(not_finite=1, pairs=5), "not finite"),
        (Agreement(distinct=1), "same number"),
        (Agreement(disagree=501), "other side"),
        (Agreement(difference=-160.0), "-0.16 in the mean"),
    ],
)
def test_what_is_insane_fails_and_stays_so(agreement, says):
    failed = judge_disagreement(SANE, "shadow", None, agreement)
    assert failed.verdict == "Fail"
    assert says in failed.reason
    assert judge_disagreement(SANE, "shadow", failed, Agreement()) == failed


@pytest.mark.parametrize(
    "agreement", [Agreement(), Agreement(pairs=0, distinct=0), Agreement(pairs=199, distinct=1)]
)
def test_agreement_passes_nothing(agreement):
    assert judge_disagreement(SANE, "shadow", None, agreement).verdict == "Inconclusive"


def test_the_jth_candidate_has_alpha_halved_to_pass_and_all_share_to_fail():
    spec = Rollout()
    first, second = (Alphas.of(spec, spec.checks[0], j) for j in (1, 2))
    assert first.pass_ == 0.05
    assert second.pass_ == 0.025
    assert first.fail == second.fail == pytest.approx(0.05 / 3)

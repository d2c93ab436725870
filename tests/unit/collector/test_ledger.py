"""Every answer follows from the set of records, in whatever order and however often they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.collector.cohorts import Maturity, Question
from trimtab.collector.event import AgentHalf, Inference, Rows
from trimtab.collector.labels import Label
from trimtab.collector.ledger import Ledger
from trimtab.collector.model import Model
from trimtab.collector.questions import QUESTIONS
from trimtab.collector.scores import agreement, paired, scored
from trimtab.ports.evidence import BlockCut
from trimtab.sketch import Grid

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 15_800 * DAY
RULE = Maturity(after_us=DAY, missing=None)
MODEL = Model({"x": Grid("x", "number", scale=1.0, bits=16), "c": Grid("c", "category")}, RULE)


def inference(number, revision="stable", *, time_us=None, ids=None, p=None, status=200):
    time_us = START + number * HOUR if time_us is None else time_us
    ids = [f"{number}-0", f"{number}-1"] if ids is None else ids
    rows = Rows(
        ids=ids,
        times=[time_us] * len(ids),
        features={"x": [0.1 * number] * len(ids), "c": ["a"] * len(ids)},
        predictions=[0.3] * len(ids) if p is None else p,
    )
    return Inference(revision, "pod", f"r{number}", time_us, status, 2.0, len(ids), rows)


def label(name, value, after_us=HOUR, time_us=START):
    return Label(name, value, time_us + after_us, None)


def filled(records):
    ledger = Ledger()
    for record in records:
        if isinstance(record, Label):
            ledger.label([record])
        elif isinstance(record, str):
            ledger.observe(record, MODEL, b"")
        else:
            ledger.take(record)
    return ledger


def asked(days=30, cut=None):
    return Question(START, START + days * DAY, cut or BlockCut(zone="UTC", cut_hour=0), START + days * DAY)


def answers(ledger):
    """Everything that can be asked, of both revisions."""
    span = {"start": "2013-01-01T00:00:00Z", "end": "2014-01-01T00:00:00Z"}
    told = []
    for path, question in QUESTIONS.items():
        query = {} if path == "/v1/received" else {"revision": "stable", **span}
        if path.endswith(("scored", "paired")):
            query |= {"now": "2014-01-01T00:00:00Z"}
        if path.endswith(("paired", "agreement")):
            query |= {"candidate": "next"}
        if path.endswith("/requests"):
            query |= {"bucket_s": "3600"}
        told.append(question(ledger, query))
    return repr(told)


POOL = [
    *(
        inference(n, revision, p=[0.1 * (n % 9), 0.77])
        for n in range(0, 60, 3)
        for revision in ("stable", "next")
    ),
    inference(200, time_us=START + HOUR, ids=["3-0"], p=[0.9]),
    inference(201, "next", ids=["6-0"], p=[None]),
    *(label(f"{n}-{row}", n % 2, n * HOUR + 5 * HOUR) for n in range(0, 60, 3) for row in (0, 1)),
    label("3-0", 0.0, 2 * HOUR),
    AgentHalf("stable", "pod", "q1", False, "id1", START, {"inputs": [{"name": "x", "data": [1.5]}]}),
    AgentHalf("stable", "pod", "q1", True, "id1", START + 7_000, {"predictions": [0.4]}),
    AgentHalf("stable", "pod", "q2", False, "id2", START, None),
    "stable",
    "next",
]


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(POOL), again=st.lists(st.sampled_from(POOL), max_size=6))
def test_no_answer_depends_on_order_or_repetition(order, again):
    received = dict(sorted(filled(POOL).received.items()))
    ledger = filled([*order, *again])
    assert dict(sorted(ledger.received.items())) == received
    ledger.received = received
    first = filled(POOL)
    first.received = received
    assert answers(ledger) == answers(first)


def test_what_the_operator_asks_itself_is_no_traffic():
    body = {"instances": [[1]]}
    halves = [
        AgentHalf("stable", "pod", "w", side, "id", START, body, is_warmup=True) for side in (False, True)
    ]
    ledger = filled(halves)
    assert (ledger.received, ledger.revisions, ledger.clock_us) == ({}, {}, None)


def test_only_labels_known_by_a_rows_maturity_count():
    ledger = filled(
        [
            inference(0, ids=["early", "at", "late", "none"], p=[0.2] * 4),
            label("early", 1, -HOUR),
            label("at", 0, DAY),
            label("late", 1, DAY + 1),
        ]
    )
    (block,) = scored(ledger.revisions["stable"].predictions, ledger.examples, RULE, asked())
    assert (block.rows, block.missing, block.positives) == (2, 2, 1)
    assert block.loss == pytest.approx(-np.log(0.2) - np.log(0.8))
    assert block.brier == pytest.approx(0.64 + 0.04)


def test_a_missing_label_may_stand_for_a_value():
    ledger = filled([inference(0, ids=["late", "none"]), label("late", 1, 2 * DAY)])
    rule = Maturity(after_us=DAY, missing=0.0)
    (block,) = scored(ledger.revisions["stable"].predictions, ledger.examples, rule, asked())
    assert (block.rows, block.missing, block.positives) == (2, 0, 0)


@pytest.mark.parametrize(("now_h", "blocks"), [(47, 0), (48, 1), (71, 1), (72, 2), (999, 2)])
def test_a_block_is_told_once_it_is_closed_and_mature(now_h, blocks):
    ledger = filled([inference(hour) for hour in (1, 23, 24, 47, 72)])
    question = Question(START, START + 3 * DAY - 1, BlockCut(cut_hour=0), START + now_h * HOUR)
    told = scored(ledger.revisions["stable"].predictions, ledger.examples, RULE, question)
    assert [block.missing for block in told] == [4, 4][:blocks]


def test_the_first_block_is_cut_by_the_start_and_the_last_by_the_end():
    ledger = filled([inference(hour) for hour in range(0, 96, 6)])
    question = Question(START + 12 * HOUR, START + 60 * HOUR, BlockCut(cut_hour=0), START + 99 * DAY)
    told = scored(ledger.revisions["stable"].predictions, ledger.examples, RULE, question)
    assert [(int(block.start.timestamp()) - START // 10**6, block.missing) for block in told] == [
        (0, 4),
        (86_400, 8),
    ]


def test_a_prediction_that_is_not_finite_is_certain_and_wrong():
    ledger = filled([inference(0, ids=["a", "b"], p=[None, 0.5]), label("a", 1), label("b", 1)])
    (block,) = scored(ledger.revisions["stable"].predictions, ledger.examples, RULE, asked())
    assert block.loss == pytest.approx(-np.log(0.001) - np.log(0.5))
    assert block.brier == pytest.approx(1 + 0.25)


def test_pairs_are_examples_that_both_predicted():
    ledger = filled(
        [
            inference(0, ids=["a", "b", "c", "d"], p=[0.5, 0.5, 0.5, 0.5]),
            inference(1, "next", ids=["b", "d", "e"], p=[0.9, 0.6, 0.1]),
            label("a", 1),
            label("b", 1),
        ]
    )
    stable, candidate = (ledger.revisions[name].predictions for name in ("stable", "next"))
    (block,) = paired(stable, candidate, ledger.examples, RULE, asked())
    assert (block.rows, block.missing) == (1, 1)
    assert block.delta == pytest.approx(np.log(0.5) - np.log(0.9))
    assert block.delta_if_0 == pytest.approx(np.log(0.5) - np.log(0.4))
    assert block.delta_if_1 == pytest.approx(np.log(0.5) - np.log(0.6))
    assert agreement(stable, candidate, START, START + DAY).pairs == 2
    (swapped,) = paired(candidate, stable, ledger.examples, RULE, asked())
    assert swapped.delta == -block.delta


def test_agreement_sees_what_no_label_is_needed_for():
    ledger = filled(
        [
            inference(0, ids=["a", "b", "c"], p=[0.4, 0.6, 0.5]),
            inference(0, "next", ids=["a", "b", "c"], p=[0.6, 0.6, None]),
        ]
    )
    stable, candidate = (ledger.revisions[name].predictions for name in ("stable", "next"))
    told = agreement(stable, candidate, START, START + DAY)
    assert (told.pairs, told.disagree, told.not_finite, told.distinct) == (3, 1, 1, 1)
    assert told.difference == pytest.approx(0.2)


def test_skill_is_the_loss_beside_climatology_from_labels_of_every_revision():
    from trimtab.quality.climatology import climatology

    rng = np.random.default_rng(3)
    times = START + np.sort(rng.integers(0, 30 * DAY, 4_000))
    late = rng.random(4_000) < 0.3
    p = rng.uniform(0.05, 0.95, 4_000)
    records = [
        inference(n, ("stable", "next")[n % 2], time_us=int(times[n]), ids=[f"e{n}"], p=[float(p[n])])
        for n in range(1_000, 4_000)
    ]
    history = [Label(f"e{n}", float(late[n]), int(times[n]) + HOUR, int(times[n])) for n in range(4_000)]
    ledger = filled([*records, *history])
    cut = BlockCut(zone="America/New_York", cut_hour=4)
    told = scored(ledger.revisions["stable"].predictions, ledger.examples, RULE, asked(40, cut))
    base = climatology(times.astype("datetime64[us]"), late.astype(float), cut.zone, cut.cut_hour, 86_400)
    mine = (np.arange(4_000) >= 1_000) & (np.arange(4_000) % 2 == 0) & ~np.isnan(base)
    given_truth = np.where(late, p, 1 - p), np.where(late, base, 1 - base)
    expected = (np.log(given_truth[1]) - np.log(given_truth[0]))[mine].sum()
    assert sum(block.skill_rows for block in told) == mine.sum()
    assert sum(block.skill for block in told) == pytest.approx(expected)


def test_requests_are_counted_exactly_to_the_microsecond():
    records = [inference(n, time_us=START + n, ids=[f"{n}"], status=200 if n else 503) for n in range(10)]
    ledger = filled(records)
    requests = ledger.revisions["stable"].requests
    assert list(requests.counts(START, START + 3, 1_000_000)) == [(START, 3, 1, 3)]
    assert list(requests.counts(START + 1, START + 10, 4)) == [
        (START, 3, 0, 3),
        (START + 4, 4, 0, 4),
        (START + 8, 2, 0, 2),
    ]
    assert requests.latencies(START, START + 10).sum() == 9


def test_what_is_forgotten_leaves_the_rest_as_it_was():
    recent = [record for record in POOL if isinstance(record, Inference) and record.time_us >= START + DAY]
    ledger = filled(POOL)
    ledger.forget(START + DAY)
    assert len(ledger.revisions["stable"].requests) == len([r for r in recent if r.revision == "stable"])
    whole = filled(POOL)
    question = Question(START + DAY, START + 30 * DAY, BlockCut(cut_hour=0), START + 30 * DAY)
    told, expected = (
        paired(
            one.revisions["stable"].predictions,
            one.revisions["next"].predictions,
            one.examples,
            RULE,
            question,
        )
        for one in (ledger, whole)
    )
    assert told == expected
    assert ledger.received == whole.received
    assert not any(ledger.take(record) for record in recent)


def test_stray_times_do_not_move_the_clock():
    ledger = filled([inference(n, time_us=START + n) for n in range(1_000)])
    assert ledger.clock_us == START
    for number in range(99):
        ledger.take(inference(2_000 + number, time_us=START + 5_000 * DAY, status=400))
    assert ledger.clock_us == START
    ledger.take(inference(5_000, time_us=START + 5_000 * DAY))
    assert ledger.clock_us == START + 5_000 * DAY


def test_few_events_are_never_old():
    assert filled([inference(n, time_us=START + n * DAY) for n in range(99)]).clock_us is None

"""Spans that are no whole hours, as a step judged by the minute asks for them: against a count of the events."""

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from collector_process import START, event

from trimtab.ports.evidence import RequestCount

MINUTE = timedelta(minutes=1)
STABLE, CANDIDATE = "aaaaaaaa", "bbbbbbbb"


@pytest.fixture(scope="module")
def taken():
    """Requests over three hours: some fail, some stand on the very edge of a minute, some seconds inside one."""
    dice = random.Random(8)
    made = []
    for revision in (STABLE, CANDIDATE):
        for number in dice.sample(range(180), 120):
            at = START + number * MINUTE + timedelta(seconds=dice.choice((0, 0, 17, 59.5)))
            status = 200 if dice.random() < 0.8 else 503
            one = event(number, revision, rows=1, status=status, durationms=dice.choice((2.0, 40.0, 900.0)))
            one |= {"time": at.isoformat().replace("+00:00", "Z")}
            if status == 200:
                one["data"]["times"] = [int(at.timestamp() * 1e6)]
                one["data"]["predictions"] = [dice.choice((0.2, 0.8))]
            else:
                one["data"] = None
            made.append(one)
    dice.shuffle(made)
    return made


def spans():
    dice = random.Random(9)
    whole = [START, START + timedelta(hours=1), START + timedelta(hours=3)]
    odd = [START + dice.randrange(10_800) * timedelta(seconds=1) for _ in range(30)]
    minutes = [START + dice.randrange(180) * MINUTE for _ in range(30)]
    times = [whole[0], whole[1], *odd, *minutes]
    found = [(a, b) for a, b in zip(times, reversed(times), strict=True) if a < b]
    return [(whole[0], whole[2]), (whole[1] + MINUTE, whole[1] + 2 * MINUTE), *found]


@pytest.fixture
def collector(start, taken, profile):
    from trimtab.adapters.collector import Collector

    process = start()
    client = Collector(process.address)
    for revision in (STABLE, CANDIDATE):
        client.observe(revision, profile)
    process.events(*taken)
    yield client
    client.close()


def inside(taken, revision, span):
    for one in taken:
        at = datetime.fromisoformat(one["time"].replace("Z", "+00:00"))
        if one["revision"] == revision and span[0] <= at < span[1]:
            yield at, one


def test_requests_by_the_minute_are_those_that_came(collector, taken):
    for span in spans():
        for bucket_s in (60, 3600, 86_400):
            counts: dict[datetime, list[int]] = {}
            for at, one in inside(taken, STABLE, span):
                seconds = int(at.timestamp()) // bucket_s * bucket_s
                held = counts.setdefault(datetime.fromtimestamp(seconds, at.tzinfo), [0, 0, 0])
                held[0] += 1
                held[1] += one["status"] != 200
                held[2] += one["rows"]
            expected = [RequestCount(at, *held) for at, held in sorted(counts.items())]
            assert collector.requests(STABLE, *span, bucket_s) == expected, (span, bucket_s)


def test_spans_side_by_side_add_up_to_the_whole(collector, taken):
    """A check sums what closed since its last look: nothing may be counted twice or left out at an edge."""
    edges = [START, START + 7 * MINUTE, START + 61 * MINUTE, START + 62 * MINUTE, START + 180 * MINUTE]
    parts = [count for span in pairwise(edges) for count in collector.requests(STABLE, *span, 60)]
    assert parts == collector.requests(STABLE, edges[0], edges[-1], 60)
    pairs = [collector.agreement(STABLE, CANDIDATE, *span) for span in pairwise(edges)]
    whole = collector.agreement(STABLE, CANDIDATE, edges[0], edges[-1])
    assert sum(part.pairs for part in pairs) == whole.pairs > 20
    assert sum(part.disagree for part in pairs) == whole.disagree > 0


def test_latencies_are_those_of_the_answered_requests_of_the_span(collector, taken):
    for span in spans():
        told = collector.latencies(STABLE, *span)
        expected: Counter[int] = Counter()
        for _, one in inside(taken, STABLE, span):
            if one["status"] == 200:
                expected[sum(edge < one["durationms"] for edge in told.edges_ms)] += 1
        assert {k: n for k, n in enumerate(told.counts) if n} == dict(expected), span


def test_agreement_is_of_the_pairs_that_stable_answered_in_the_span(collector, taken):
    answers = {
        revision: {
            one["data"]["ids"][0]: (at, one["data"]["predictions"][0])
            for at, one in inside(taken, revision, (START, START + timedelta(days=1)))
            if one["data"]
        }
        for revision in (STABLE, CANDIDATE)
    }
    for start, end in spans():
        both = [
            (answers[STABLE][name][1], p)
            for name, (_, p) in answers[CANDIDATE].items()
            if name in answers[STABLE] and start <= answers[STABLE][name][0] < end
        ]
        told = collector.agreement(STABLE, CANDIDATE, start, end)
        differ = sum(ours != theirs for ours, theirs in both)
        assert (told.pairs, told.disagree) == (len(both), differ), (start, end)

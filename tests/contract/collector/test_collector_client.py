"""The loop's port, against the real collector."""

from datetime import timedelta

import numpy as np
import pytest
from collector_process import START, event

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.evidence import BlockCut, RequestCount

DAY = timedelta(days=1)
CUT = BlockCut(zone="America/New_York")


@pytest.fixture
def process(start):
    return start()


@pytest.fixture
def collector(process):
    from trimtab.adapters.collector import Collector

    client = Collector(process.address)
    yield client
    client.close()


def label(number, row, value, **given):
    from trimtab.adapters.collector import Label

    known_at = given.get("known_at", START + timedelta(hours=3))
    return Label(f"flight-{number}-{row}", value, known_at, given.get("time"))


def test_sketches_are_the_same_before_and_after_the_profile_and_a_kill(process, collector, profile):
    process.events(*[event(number) for number in range(90)])
    with pytest.raises(InputRefused, match="profile"):
        collector.sketches("aaaaaaaa", START, START + DAY)
    collector.observe("aaaaaaaa", profile)
    collector.observe("aaaaaaaa", profile)
    process.events(*[event(number) for number in range(90, 100)])
    told = collector.sketches("aaaaaaaa", START, START + DAY)
    assert {name: (sketch.rows, sketch.missing) for name, sketch in told.items()} == {
        "distance": (200, 0),
        "carrier": (200, 100),
    }
    assert collector.sketches("aaaaaaaa", START, START + timedelta(hours=1))["distance"].rows == 120
    process.kill()
    process.start()
    assert collector.sketches("aaaaaaaa", START, START + DAY) == told


def test_another_profile_for_a_revision_is_refused(collector, profile):
    collector.observe("aaaaaaaa", profile)
    with pytest.raises(InputRefused, match="another profile"):
        collector.observe("aaaaaaaa", profile + b" ")
    with pytest.raises(InputRefused, match="profile"):
        collector.observe("bbbbbbbb", b"{}")


def test_requests_and_latencies(process, collector):
    process.events(event(1), event(2, status=503, data=None, rows=4), event(61, durationms=40.0))
    assert collector.requests("aaaaaaaa", START, START + DAY, 3_600) == [
        RequestCount(START, 2, 1, 6),
        RequestCount(START + timedelta(hours=1), 1, 0, 2),
    ]
    told = collector.latencies("aaaaaaaa", START, START + DAY)
    assert sum(told.counts) == 2
    assert len(told.counts) == len(told.edges_ms)


def test_labels_early_late_missing_and_again(process, collector, profile):
    collector.observe("aaaaaaaa", profile)
    collector.labels([label(0, 0, 1, known_at=START - DAY)])
    process.events(*[event(number) for number in range(3)])
    collector.labels([label(1, 0, 0), label(2, 0, 1, known_at=START + 2 * DAY)])
    collector.labels([label(1, 0, 0), label(1, 0, 1, known_at=START + timedelta(hours=9))])
    now = START + 3 * DAY
    (block,) = collector.scored("aaaaaaaa", START - DAY, now, CUT, now)
    assert (block.rows, block.missing, block.positives) == (2, 4, 1)
    assert block.start == START.replace(hour=8)
    assert block.loss == pytest.approx(-np.log(0.25) - np.log(0.75))
    assert collector.scored("aaaaaaaa", START - DAY, now, CUT, START + DAY) == []


def test_shadow_is_paired_with_stable_by_example(process, collector, profile):
    collector.observe("aaaaaaaa", profile)
    collector.observe("bbbbbbbb", profile)
    process.events(*[event(number) for number in range(4)])
    process.events(*[event(number, "bbbbbbbb") for number in range(2, 6)])
    collector.labels([label(number, 0, 1) for number in range(6)])
    now = START + 3 * DAY
    (block,) = collector.paired("aaaaaaaa", "bbbbbbbb", START - DAY, now, CUT, now)
    assert (block.rows, block.missing, block.delta) == (2, 2, 0.0)
    told = collector.agreement("aaaaaaaa", "bbbbbbbb", START - DAY, now)
    assert (told.pairs, told.disagree, told.distinct) == (4, 0, 2)
    assert collector.received() == {"aaaaaaaa": 4, "bbbbbbbb": 4}


def test_history_that_was_never_served_gives_climatology(process, collector, profile):
    collector.observe("aaaaaaaa", profile)
    history = [
        label(-day * 24 - 1, row, row % 2, known_at=START - day * DAY, time=START - day * DAY)
        for day in range(2, 18)
        for row in range(10)
    ]
    collector.labels(history)
    process.events(event(0))
    collector.labels([label(0, 0, 1)])
    now = START + 3 * DAY
    (block,) = collector.scored("aaaaaaaa", START - DAY, now, CUT, now)
    assert (block.rows, block.skill_rows) == (1, 1)
    assert block.skill == pytest.approx(np.log(0.5) - np.log(0.25))


def test_predictions_are_told_by_time_with_labels_as_they_stand(process, collector):
    process.events(event(1), event(0))
    collector.labels([label(0, 1, 1)])
    told = collector.predictions("aaaaaaaa", START, START + DAY)
    assert list(told.id) == ["flight-0-0", "flight-0-1", "flight-1-0", "flight-1-1"]
    assert told.p.tolist() == [0.25, 0.35, 0.25, 0.35]
    np.testing.assert_array_equal(told.label, [np.nan, 1.0, np.nan, np.nan])
    assert told.time[2] == np.datetime64("2013-04-01T12:01:00")


def test_the_client_comes_back_when_the_collector_does(process, collector):
    process.events(event(1))
    assert collector.received() == {"aaaaaaaa": 1}
    process.kill()
    with pytest.raises(SurroundingsFailed, match="does not answer"):
        collector.received()
    process.start()
    assert collector.received() == {"aaaaaaaa": 1}


def test_a_naive_time_is_refused_before_it_is_sent(collector):
    with pytest.raises(InputRefused, match="time zone"):
        collector.latencies("aaaaaaaa", START.replace(tzinfo=None), START)

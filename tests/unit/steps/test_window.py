"""Which rows a load reads."""

from datetime import UTC, date, datetime

import pytest

from trimtab.api.sources import Source
from trimtab.steps.ingest.window import window
from trimtab.steps.refusals import WatermarkUnfit

NEWEST = datetime(2013, 3, 1, 12, tzinfo=UTC)


def source(lookback: str = "0s", mode: str = "incremental") -> Source:
    load = {"mode": mode, "watermark": "at", "lookback": lookback, "key": ["id"]}
    return Source.model_validate({"files": "a.csv", "load": load})


def test_without_a_watermark_everything_is_read():
    none = Source.model_validate({"files": "a.csv"})
    assert window("s", none, {}, None, datetime(2013, 1, 1, tzinfo=UTC)).predicate == "true"


def test_the_window_reaches_back_by_the_lookback_and_ends_before_until():
    until = datetime(2013, 4, 1, tzinfo=UTC)
    span = window("s", source("2d"), {"at": "timestamp"}, NEWEST, until)
    assert span.start == datetime(2013, 2, 27, 12, tzinfo=UTC)
    assert "'2013-02-27T12:00:00+00:00'::timestamptz" in span.predicate
    assert "< '2013-04-01T00:00:00+00:00'::timestamptz" in span.predicate


@pytest.mark.parametrize(("lookback", "start"), [("1h", date(2013, 2, 28)), ("2d", date(2013, 2, 27))])
def test_a_lookback_over_days_is_rounded_up_to_whole_days(lookback, start):
    assert window("s", source(lookback), {"at": "date"}, date(2013, 3, 1), None).start == start


def test_a_number_as_watermark_knows_no_until():
    until = datetime(2013, 4, 1, tzinfo=UTC)
    span = window("s", source(), {"at": "integer"}, 41, until)
    assert (span.start, span.until) == (41, None)


@pytest.mark.parametrize(("kind", "lookback"), [("string", "0s"), ("boolean", "0s"), ("integer", "1d")])
def test_a_watermark_that_does_not_grow_in_time_is_refused(kind, lookback):
    with pytest.raises(WatermarkUnfit):
        window("s", source(lookback), {"at": kind}, None, None)

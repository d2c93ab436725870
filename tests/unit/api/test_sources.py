"""What a source may say."""

import pytest
from pydantic import ValidationError

from trimtab.api.expectations import Expectations
from trimtab.api.sources import Source


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"files": "a", "load": {"mode": "incremental"}}, "needs a watermark"),
        ({"files": "a", "load": {"mode": "incremental", "watermark": "t"}}, "needs a key"),
        ({"files": "a", "load": {"lookback": "2d"}}, "lookback means nothing"),
        ({"files": "a", "load": {"key": ["a", "a"]}}, "twice"),
        ({"files": "a", "timeZones": {"t": "America/Newyork"}}, "no IANA time zone"),
        ({"files": "a", "cast": {"t": "float"}}, "cast"),
        ({"files": "a", "ignore": ["t"], "load": {"key": ["t"]}}, "ignored and used"),
        ({"files": "a", "nul": ["NA"]}, "nul"),
        ({"files": []}, "files"),
    ],
)
def test_what_makes_no_sense_is_refused(said, told):
    with pytest.raises(ValidationError, match=told):
        Source.model_validate(said)


def test_a_source_comes_back_from_its_json():
    load = {"mode": "incremental", "watermark": "t", "lookback": "2d", "key": ["id"]}
    one = Source.model_validate(
        {"files": ["a", "b"], "nulls": ["NA"], "timeZones": {"t": "UTC"}, "load": load}
    )
    assert Source.model_validate_json(one.model_dump_json(by_alias=True)) == one


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"check": "rnge", "column": "x"}, "rnge"),
        ({"check": "range", "column": "x"}, "needs a bound"),
        ({"check": "volume"}, "needs a bound"),
        ({"check": "volume", "atLeast": 5, "atMost": 4}, "swap"),
        ({"check": "volume", "atLeast": 5, "else": "quarantine"}, "fail"),
        ({"check": "complete", "column": "x", "atLeast": 0.5, "else": "quarantine"}, "names no row"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused(said, told):
    with pytest.raises(ValidationError, match=told):
        Expectations.model_validate({"t": [said]})


def test_a_day_without_quotes_is_a_bound():
    from datetime import date

    found = Expectations.model_validate(
        {"t": [{"check": "range", "column": "x", "atLeast": date(2013, 1, 1)}]}
    )
    assert found.of("t")[0].at_least == "2013-01-01"

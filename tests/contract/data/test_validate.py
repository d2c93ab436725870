"""Expectations of every kind: what breaks them, where the bad rows go, and what the report says."""

from datetime import UTC, datetime

import pytest

from trimtab.api.errors import InputRefused

pytestmark = pytest.mark.xdist_group("data")

CSV = """id,at,origin,distance,tail
1,2013-01-01T00:00Z,EWR,100,A
2,2013-01-01T01:00Z,JFK,200,
2,2013-01-01T01:00Z,JFK,200,B
3,2013-01-01T02:00Z,XXX,9000,C
4,2013-01-01T03:00Z,,,D
"""


@pytest.fixture
def rows(workshop):
    workshop.write("a.csv", CSV)
    return {"t": workshop.ingest("t", files="a.csv").pointer}


HOLD = [
    {"check": "schema", "columns": {"id": "integer", "at": "timestamp"}},
    {"check": "complete", "column": "id"},
    {"check": "complete", "column": "tail", "atLeast": 0.8},
    {"check": "unique", "columns": ["id", "tail"]},
    {"check": "range", "column": "distance", "atLeast": 100, "atMost": 9000},
    {"check": "range", "column": "at", "atLeast": "2013-01-01T00:00:00Z"},
    {"check": "allowed", "column": "origin", "values": ["EWR", "JFK", "XXX"]},
    {"check": "row", "expression": "distance > id"},
    {"check": "volume", "atLeast": 5, "atMost": 5},
    {"check": "fresh", "column": "at", "within": "3h"},
]
BREAK = [
    (
        {"check": "schema", "columns": {"id": "string", "gate": "string"}},
        "gate is missing; id is integer, not string",
    ),
    ({"check": "complete", "column": "tail"}, "1 rows do not"),
    ({"check": "complete", "column": "tail", "atLeast": 0.81}, "0.8 of 5"),
    ({"check": "unique", "columns": ["id"]}, "1 rows do not, such as id=2"),
    ({"check": "range", "column": "distance", "atMost": 8999.5}, "1 rows do not, such as distance=9000"),
    ({"check": "range", "column": "at", "atMost": "2013-01-01T02:59:59Z"}, "1 rows do not"),
    ({"check": "allowed", "column": "origin", "values": ["EWR", "JFK"]}, "such as origin=XXX"),
    ({"check": "row", "expression": "distance < 5000"}, "1 rows do not"),
    ({"check": "volume", "atLeast": 6}, "5 rows"),
    ({"check": "fresh", "column": "at", "within": "1h59m"}, "2013-01-01 03:00Z"),
]
NOW = datetime(2013, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("expectation", HOLD, ids=lambda one: one["check"])
def test_an_expectation_that_holds_passes_and_copies_nothing(workshop, rows, expectation):
    found = workshop.validate(rows, {"t": [expectation]}, NOW)
    assert found.passed
    assert found.pointers == rows
    assert workshop.tables.names() == ["t"]


@pytest.mark.parametrize(("expectation", "told"), BREAK, ids=[str(i) for i in range(len(BREAK))])
def test_a_broken_expectation_fails_and_says_what_was_found(workshop, rows, expectation, told):
    found = workshop.validate(rows, {"t": [expectation]}, NOW)
    assert not found.passed
    assert told in found.because
    warned = workshop.validate(rows, {"t": [{**expectation, "else": "warn"}]}, NOW)
    assert warned.passed
    assert warned.tables["t"].judged[0].broken


def test_bad_rows_are_set_aside_with_their_reasons_and_good_ones_go_on(workshop, rows):
    expectations = {
        "t": [
            {"check": "unique", "columns": ["id"], "else": "quarantine"},
            {"check": "range", "column": "distance", "atMost": 5000, "else": "quarantine"},
            {"check": "allowed", "column": "origin", "values": ["EWR", "JFK"], "else": "quarantine"},
        ]
    }
    found = workshop.validate(rows, expectations, NOW)
    assert found.passed
    assert found.tables["t"].quarantined == 2
    assert found.pointers["t"].table == "_valid/t"
    assert workshop.rows("_valid/t", "select id, tail from t") == [(1, "A"), (2, None), (4, "D")]
    bad = workshop.rows("_quarantine/t", "select id, trimtab_reason from t order by id")
    assert bad == [
        (2, "no two rows share id"),
        (3, "distance is at most 5000; origin is one of EWR, JFK"),
    ]
    again = workshop.validate(rows, expectations, NOW)
    assert again.pointers == found.pointers, "the same rows make no new version"


@pytest.mark.parametrize("other", ["quarantine", "fail"])
def test_rows_at_or_after_until_are_not_judged(workshop, rows, other):
    expectations = {
        "t": [
            {"check": "volume", "atLeast": 3, "atMost": 3},
            {"check": "allowed", "column": "origin", "values": ["EWR", "JFK"], "else": other},
            {"check": "fresh", "column": "at", "within": "1h"},
        ]
    }
    until = datetime(2013, 1, 1, 2, tzinfo=UTC)
    found = workshop.validate(rows, expectations, until, times={"t": "at"})
    assert found.passed
    assert (found.tables["t"].rows, found.tables["t"].quarantined) == (3, 0)
    assert not [one.says for one in found.tables["t"].judged if one.broken]
    assert found.pointers == rows
    assert not workshop.validate(rows, expectations, until).passed, "no time is known: all rows are judged"


def test_of_rows_without_a_time_none_is_left_out(workshop):
    workshop.write("a.csv", "id,at\n1,2013-01-01T00:00Z\n2,\n3,2013-01-02T00:00Z\n")
    rows = {"t": workshop.ingest("t", files="a.csv").pointer}
    found = workshop.validate(rows, {}, datetime(2013, 1, 2, tzinfo=UTC), times={"t": "at"})
    assert found.tables["t"].rows == 2


def test_what_was_found_reads_back_as_it_was_written(workshop, rows):
    import json

    expectations = {"t": [{"check": "unique", "columns": ["id"], "else": "quarantine"}, HOLD[0]]}
    found = workshop.validate(rows, expectations, NOW)
    again = type(found).from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert again.pointers == found.pointers


def test_the_rows_that_go_on_can_be_built_upon(workshop, rows):
    found = workshop.validate(
        rows, {"t": [{"check": "unique", "columns": ["id"], "else": "quarantine"}]}, NOW
    )
    built = workshop.build(found.pointers, n="select count(*) as n from t")
    assert built["n"].reads["t"].table == "_valid/t"
    assert workshop.rows("n") == [(4,)]


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"check": "complete", "column": "tial"}, "did you mean 'tail'?"),
        ({"check": "range", "column": "distance", "atLeast": "far"}, "'far' is no integer"),
        ({"check": "range", "column": "at", "atLeast": "soon"}, "'soon' is no timestamp"),
        ({"check": "allowed", "column": "origin", "values": [1]}, "1 is no string"),
        ({"check": "row", "expression": "distence > 1"}, "distence"),
        ({"check": "row", "expression": "distance > "}, "syntax error"),
        ({"check": "row", "expression": "1) from t; drop table t; select (1"}, "t[0]"),
        ({"check": "fresh", "column": "tail", "within": "1d"}, "only times and days"),
    ],
)
def test_an_expectation_that_makes_no_sense_names_its_place(workshop, rows, refuse, expectation, told):
    refuse(
        InputRefused,
        lambda: workshop.validate(rows, {"t": [expectation]}, NOW),
        "expectations.yaml: t[0]",
        told,
    )


def test_the_report_is_one_file_that_loads_nothing_and_escapes_what_it_shows(workshop):
    import json

    from trimtab.steps.validation_report import html

    workshop.write("a.csv", "id,name\n1,<script>alert(1)</script>\n")
    pointers = {"t": workshop.ingest("t", files="a.csv").pointer}
    found = workshop.validate(pointers, {"t": [{"check": "allowed", "column": "name", "values": ["a"]}]}, NOW)
    page = html(found, "people")
    assert "people: did not pass" in page
    assert "<script" not in page
    assert "http" not in page
    data = json.loads(json.dumps(found.to_json()))
    assert data["passed"] is False
    assert data["tables"]["t"]["expectations"][0]["rows"] == 1


def test_first_expectations_are_true_of_the_data_they_were_written_from(flights):
    import yaml

    from trimtab.ports.tables import Pointer
    from trimtab.steps.expect import expect

    names = ("weather", "planes")
    held = {name: flights.tables.head(name) for name in names}
    pointers = {name: Pointer(name, one.version, one.rows, one.digest) for name, one in held.items()}
    text = expect(pointers, {"planes": ["tailnum"]}, engine=flights.engine, tables=flights.tables)
    found = flights.validate(pointers, yaml.safe_load(text))
    assert found.passed
    assert not [one for table in found.tables.values() for one in table.judged if one.broken]
    assert "allowed, column: origin, values: [EWR, JFK, LGA]" in text

"""Tables by SQL over versions: what they record, when they stand still, and what they refuse."""

from datetime import UTC, datetime

import pytest

from trimtab.api.errors import InputRefused

pytestmark = pytest.mark.xdist_group("data")

GROWING = {"mode": "incremental", "watermark": "at", "lookback": "1h", "key": ["id"]}
CSV = "id,at,value\n" + "".join(f"{i},2013-01-01T{i:02}:00Z,{i / 7}\n" for i in range(20))


@pytest.fixture
def source(workshop):
    workshop.write("a.csv", CSV)
    return {"s": workshop.ingest("s", files="a.csv", load=GROWING).pointer}


def test_a_table_records_what_it_read(workshop, source):
    built = workshop.build(
        source, totals="select count(*) as n from doubled", doubled="select *, value * 2 as w from S"
    )
    assert list(built) == ["doubled", "totals"]
    assert built["totals"].reads == {"doubled": built["doubled"].pointer}
    held = workshop.tables.head("doubled")
    assert held.metadata["reads"]["s"]["version"] == source["s"].version
    assert held.metadata["reads"]["s"]["digest"] == source["s"].digest
    assert len(held.metadata["sql"]) == 64
    assert workshop.rows("totals") == [(20,)]


def test_unchanged_inputs_and_sql_make_no_version(workshop, source):
    first = workshop.build(source, t="select id from s")["t"]
    again = workshop.build(source, t="select id from s")["t"]
    assert (first.committed, again.committed, again.version) == (True, False, first.version)
    same = workshop.build(source, t="select id\nfrom s where true")["t"]
    assert not same.committed, "other SQL that answers the same rows"
    other = workshop.build(source, t="select id + 1 as id from s")["t"]
    assert other.version == first.version + 1


def test_a_sum_of_fractions_has_the_same_bits_whatever_the_steps_in_which_the_source_grew(workshop):
    lines = CSV.splitlines(keepends=True)
    sql = "select sum(value) as total, avg(value) as mean, stddev(value) as spread from s"
    workshop.write("whole.csv", CSV)
    whole = workshop.ingest("whole", files="whole.csv", load=GROWING)
    for end in (6, 7, 13, 21):
        workshop.write("a.csv", "".join(lines[:end]))
        grown = workshop.ingest("s", files="a.csv", load=GROWING)
    one = workshop.build({"s": whole.pointer}, t=sql)["t"]
    two = workshop.build({"s": grown.pointer}, t=sql)["t"]
    assert one.digest == two.digest


def test_no_row_at_or_after_until_is_read(workshop, source):
    until = datetime(2013, 1, 1, 5, tzinfo=UTC)
    sql = "select count(*) as n, max(getvariable('until')) as told from s"
    workshop.build(source, until=until, t=sql)
    assert workshop.rows("t", "select n, epoch(told) from t") == [(5, until.timestamp())]
    late = datetime(2014, 1, 1, tzinfo=UTC)
    counted = workshop.build(source, until=late, n="select count(*) as n from s")["n"]
    again = workshop.build(source, until=datetime(2015, 1, 1, tzinfo=UTC), n="select count(*) as n from s")[
        "n"
    ]
    assert workshop.rows("n") == [(20,)]
    assert again.version == counted.version


def test_types_are_brought_to_those_of_tables(workshop, source):
    sql = (
        (
            "select 1::smallint as a, sum(id) as b, 1.25 as c, 1.5::float as d, at::date as e, id > 3 as f, "
            "'x'::uuid as g from s group by all"
        )
        .replace("at::date", '"at"::date')
        .replace("'x'::uuid", "uuid()::varchar")
    )
    workshop.build(source, t=sql.replace("uuid()::varchar", "'x'"))
    assert list(workshop.tables.head("t").columns.values()) == [
        "integer", "integer", "number", "number", "date", "boolean", "string"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select *\nfrom flihts", ["sql/t.sql:2: there is no source or table 'flihts'", "known: s, t"]),
        ("select id,\n  nope\nfrom s", ["sql/t.sql:2:", "nope"]),
        ("\n\nselec 1", ["sql/t.sql:3:", "syntax error"]),
        ("select * from t", ["tables read each other: t → t"]),
        ("select error('ouch') as x from s", ["sql/t.sql: ouch"]),
        ("select id / 0 as x, value::varchar::date as y\nfrom s", ["sql/t.sql:1:"]),
        ("select timestamp '2013-01-01' as x", ["column 'x' is a time without a zone", "at time zone"]),
        ("select [1] as x", ["column 'x' is INTEGER[]"]),
        ("copy s to 'x.csv'", ["only a SELECT may stand here"]),
        ("select 1; select 2", ["exactly one SELECT"]),
        ("select * from read_csv('a.csv')", ["read_csv() reads past the tables"]),
    ],
)
def test_sql_that_cannot_be_run_names_file_and_line(workshop, source, refuse, sql, told):
    refuse(InputRefused, lambda: workshop.build(source, t=sql), *told)
    assert workshop.tables.head("t") is None


def test_a_cycle_over_two_tables_is_shown(workshop, source, refuse):
    tables = {"a": "select * from b", "b": "select *\nfrom a"}
    refuse(InputRefused, lambda: workshop.build(source, **tables), "a → b → a")


def test_a_common_table_expression_may_hide_nothing_it_needs(workshop, source):
    workshop.build(
        source, t="with x as (select * from s), y as (from x) select count(*) as n from y join x using (id)"
    )
    assert workshop.rows("t") == [(20,)]


def test_departures_of_all_flights(flights):
    from trimtab.ports.tables import Pointer

    held = flights.tables.head("flights")
    sql = """
        select concat_ws('-', carrier, flight, origin, strftime(time_hour + to_minutes(minute), '%Y%m%d%H%M'))
                 as flight_id,
               time_hour + to_minutes(minute) as scheduled_departure, carrier, origin, distance,
               arr_delay > 15 as arrived_late
        from flights
    """
    built = flights.build(
        {"flights": Pointer("flights", held.version, held.rows, held.digest)}, departures=sql
    )
    assert built["departures"].rows == 336_776
    rates = flights.rows("departures", "select count(distinct flight_id), count(arrived_late) from t")
    assert rates == [(336_776, 327_346)]

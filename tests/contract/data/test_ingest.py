"""Files into Delta tables: what comes in, what comes in twice, and what grows."""

import gzip
import zipfile
from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.xdist_group("data")

GROWING = {"mode": "incremental", "watermark": "at", "lookback": "1h", "key": ["id"]}


def stamped(*rows: tuple[int, str, object]) -> str:
    return "id,at,value\n" + "".join(f"{i},2013-01-01T{at}Z,{value}\n" for i, at, value in rows)


def test_flights_come_in_whole_with_the_types_that_the_data_say(flights):
    held = flights.tables.head("flights")
    assert held.rows == 336_776
    assert held.columns["dep_delay"] == "integer"
    assert held.columns["tailnum"] == "string"
    assert held.columns["time_hour"] == "timestamp"
    sums = "select count(arr_delay), count(tailnum), min(epoch(time_hour)), max(epoch(time_hour)) from t"
    assert flights.rows("flights", sums) == [(327_346, 334_264, 1357034400.0, 1388548800.0)]
    assert flights.tables.head("weather").rows == 26_115
    assert flights.tables.head("weather").columns["wind_speed"] == "number"
    assert flights.tables.head("planes").rows == 3_322


def test_a_second_run_over_the_same_files_commits_nothing(workshop):
    workshop.write("a.csv", stamped((1, "00:00", 3), (2, "01:00", 4)))
    for load in ({}, GROWING):
        name = f"t{len(load)}"
        first = workshop.ingest(name, files="a.csv", load=load)
        again = workshop.ingest(name, files="a.csv", load=load)
        assert (first.committed, again.committed) == (True, False)
        assert (first.version, first.digest) == (again.version, again.digest)


def test_full_and_incremental_loads_of_the_same_rows_have_one_digest(workshop):
    workshop.write("a.csv", stamped((1, "00:00", 3), (2, "01:00", 4)))
    workshop.write("b.csv", stamped((2, "01:00", 4), (1, "00:00", 3)))
    digests = {
        workshop.ingest("a", files="a.csv").digest,
        workshop.ingest("b", files="b.csv").digest,
        workshop.ingest("c", files="b.csv", load=GROWING).digest,
    }
    assert len(digests) == 1


def test_a_flight_that_lands_later_replaces_its_row(workshop):
    workshop.write("a.csv", stamped((1, "00:00", ""), (2, "01:00", "")))
    workshop.ingest("t", files="a.csv", load=GROWING)
    workshop.write("a.csv", stamped((1, "00:00", ""), (2, "01:00", ""), (2, "01:00", 7), (3, "02:00", "")))
    done = workshop.ingest("t", files="a.csv", load=GROWING)
    assert (done.added, done.changed, done.superseded, done.rows) == (1, 1, 1, 3)
    assert workshop.rows("t", "select id, value from t") == [(1, None), (2, 7), (3, None)]


def test_a_column_without_a_value_gets_its_type_when_the_first_one_comes(workshop):
    workshop.write("a.csv", stamped((1, "00:00", ""), (2, "01:00", "")))
    first = workshop.ingest("t", files="a.csv", load=GROWING)
    assert workshop.tables.head("t").columns["value"] == "string"
    workshop.write("a.csv", stamped((2, "01:00", 7)))
    second = workshop.ingest("t", files="a.csv", load=GROWING)
    assert second.version == first.version + 1
    assert workshop.tables.head("t").columns["value"] == "integer"
    assert workshop.rows("t", "select id, value from t") == [(1, None), (2, 7)]


def test_a_row_whose_watermark_moves_is_not_held_twice(workshop):
    workshop.write("a.csv", stamped(*((i, f"{i:02}:00", i) for i in range(24))))
    workshop.ingest("t", files="a.csv", load=GROWING)
    workshop.write("a.csv", stamped((3, "23:30", 99)))
    done = workshop.ingest("t", files="a.csv", load=GROWING)
    assert (done.rows, done.changed) == (24, 1)
    assert workshop.rows("t", "select id, value from t where id = 3") == [(3, 99)]
    assert [row[0] for row in workshop.rows("t", "select id from t")][-2:] == [23, 3]


def test_rows_behind_the_lookback_are_left_alone(workshop):
    workshop.write("a.csv", stamped((1, "00:00", 1), (2, "05:00", 2)))
    workshop.ingest("t", files="a.csv", load=GROWING)
    workshop.write("a.csv", stamped((1, "00:00", 100), (2, "05:00", 2)))
    assert not workshop.ingest("t", files="a.csv", load=GROWING).committed


def test_rows_at_or_after_until_are_not_read(workshop):
    workshop.write("a.csv", stamped((1, "00:00", 1), (2, "01:00", 2), (3, "02:00", 3)))
    until = datetime(2013, 1, 1, 1, tzinfo=UTC)
    for name, load in (("full", {"watermark": "at"}), ("growing", GROWING)):
        assert workshop.ingest(name, until, files="a.csv", load=load).rows == 1


def test_flights_grown_in_many_steps_are_the_flights_of_one(workshop, flights_csv):
    header, *lines = flights_csv
    lines = lines[:12_000]
    key = ["year", "month", "day", "carrier", "flight", "origin"]
    load = {"mode": "incremental", "watermark": "time_hour", "lookback": "2d", "key": key}
    nulls = ["", "NA"]
    workshop.write("all.csv", header + "".join(lines))
    whole = workshop.ingest("whole", files="all.csv", nulls=nulls, load=load)

    # each flight comes twice: without its outcome, and again some 900 rows later with it
    text, late = header, []
    for start in range(0, len(lines), 900):
        part = lines[start : start + 900]
        text += "".join(late) + "".join(_before_departure(line) for line in part)
        late = part
        workshop.write("grown/flights.csv", text)
        grown = workshop.ingest("grown", files="grown/*.csv", nulls=nulls, load=load)
        assert grown.rows == start + len(part)
    workshop.write("grown/flights.csv", text + "".join(late))
    grown = workshop.ingest("grown", files="grown/*.csv", nulls=nulls, load=load)
    assert grown.digest == whole.digest
    assert workshop.rows("grown") == workshop.rows("whole"), "the same order, too"
    assert len(workshop.tables.files("grown", grown.version)) <= 2


def _before_departure(line: str) -> str:
    fields = line.split(",")
    for unknown in (3, 5, 6, 8, 14):
        fields[unknown] = "NA"
    return ",".join(fields)


def test_packed_and_plain_formats_give_the_same_rows(workshop):
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = stamped((1, "00:00", 1.5), (2, "01:00", 2.5))
    workshop.write("a.csv", text)
    workshop.write("a.csv.gz", gzip.compress(text.encode()))
    with zipfile.ZipFile(workshop.root / "a.csv.zip", "w") as archive:
        archive.writestr("inner.csv", text)
    workshop.write("a.tsv", text.replace(",", "\t"))
    workshop.write("bom.csv", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    workshop.write(
        "a.jsonl",
        "".join(f'{{"id": {i}, "at": "2013-01-01T0{i - 1}:00:00Z", "value": {i}.5}}\n' for i in (1, 2)),
    )
    at = [datetime(2013, 1, 1, hour, tzinfo=UTC) for hour in (0, 1)]
    table = pa.table({"id": pa.array([1, 2], pa.int32()), "at": at, "value": [1.5, 2.5]})
    pq.write_table(table, workshop.root / "a.parquet")
    names = ["a.csv", "a.csv.gz", "a.csv.zip", "a.tsv", "bom.csv", "a.jsonl", "a.parquet"]
    digests = {name: workshop.ingest(name.replace(".", "_"), files=name).digest for name in names}
    assert len(set(digests.values())) == 1, digests


def test_many_files_are_one_table_in_the_order_of_their_names(workshop):
    workshop.write("d/2.csv", "at,id,value\n2013-01-01T01:00Z,2,20\n2013-01-01T00:00Z,1,11\n")
    workshop.write("d/1.csv", stamped((1, "00:00", 10)))
    workshop.ingest("t", files="d/*.csv", load=GROWING)
    assert workshop.rows("t", "select id, value from t") == [(1, 11), (2, 20)]


def test_codes_keep_their_zeros_and_long_numbers_their_digits(workshop):
    workshop.write(
        "a.csv", 'zip,long,flag,ratio,day,text\n00501,12345678901234567890,True,1e-3,2013-01-01,"a,\nb"\n'
    )
    workshop.ingest("t", files="a.csv")
    assert dict(workshop.tables.head("t").columns) == {
        "zip": "string", "long": "string", "flag": "boolean", "ratio": "number", "day": "date", "text": "string"
    }  # fmt: skip
    assert workshop.rows("t", "select zip, long, text from t") == [("00501", "12345678901234567890", "a,\nb")]


def test_a_number_that_turns_fractional_after_the_sample_is_seen(workshop):
    workshop.write("a.csv", "n\n" + "1\n" * 30_000 + "1.5\n")
    workshop.ingest("t", files="a.csv")
    assert workshop.tables.head("t").columns["n"] == "number"


def test_local_times_are_read_in_their_declared_zone(workshop):
    workshop.write("a.csv", "id,at\n1,2013-07-01 10:00\n2,2013-01-01T10:00:00\n3,2013-01-01T10:00:00Z\n")
    workshop.ingest("t", files="a.csv", timeZones={"at": "America/New_York"})
    hours = workshop.rows("t", 'select hour("at") from t order by id')
    assert hours == [(14,), (15,), (10,)]


def test_a_declared_cast_converts_what_it_can_and_counts_the_rest(workshop):
    workshop.write("a.csv", "n\n1\n2.6\nx\n")
    done = workshop.ingest("t", files="a.csv", cast={"n": "integer"})
    assert done.nulled == {"n": 1}
    assert workshop.rows("t") == [(1,), (3,), (None,)]


def test_an_old_version_is_read_as_it_was(workshop):
    for value in (1, 2):
        workshop.write("a.csv", f"id,value\n1,{value}\n")
        workshop.ingest("t", files="a.csv")
    assert workshop.rows("t", "select value from t", version=0) == [(1,)]
    assert workshop.rows("t", "select value from t", version=1) == [(2,)]


def test_a_new_column_that_is_accepted_is_null_in_older_rows(workshop):
    workshop.write("a.csv", stamped((1, "00:00", 1)))
    workshop.ingest("t", files="a.csv", load=GROWING)
    workshop.write("a.csv", "id,at,value,more\n2,2013-01-01T01:00Z,2,x\n")
    workshop.ingest("t", files="a.csv", load=GROWING, accept=["more"])
    assert workshop.rows("t", "select id, more from t") == [(1, None), (2, "x")]

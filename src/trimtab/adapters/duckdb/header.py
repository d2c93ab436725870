"""The header of a csv file: its delimiter and its column names."""

import csv
from dataclasses import dataclass
from typing import Final

from trimtab.api.errors import DataRefused
from trimtab.ports.files import SourceFile

_DELIMITERS: Final = ",;\t|"
_LONGEST_HEADER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    delimiter: str
    names: tuple[str, ...]


def header_of(file: SourceFile) -> Header:
    """The first record of a file.

    Raises:
        DataRefused: not UTF-8, a column without a name, or a name that stands twice (case is not told apart).
    """
    try:
        with file.path.open(encoding="utf-8-sig", newline="") as stream:
            line = stream.readline(_LONGEST_HEADER)
            while line.count('"') % 2 and (more := stream.readline(_LONGEST_HEADER)):
                line += more
    except UnicodeDecodeError:
        raise DataRefused(
            f"{file.shown}: line 1 is not UTF-8", remedy=f"convert it: iconv -f LATIN1 -t UTF-8 {file.shown}"
        ) from None
    delimiter = max(_DELIMITERS, key=line.count)
    names = tuple(next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), []))
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise DataRefused(
                f"{file.shown}: column {number} has no name", remedy="name it in the file's first line"
            )
        if name.lower() in seen:
            raise DataRefused(
                f"{file.shown}: two columns are named '{name}' (case is not told apart)",
                remedy="give each its own name in the file's first line",
            )
        seen.add(name.lower())
    return Header(delimiter, names)

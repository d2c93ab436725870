"""Source files, found by pattern and made readable."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trimtab.api.sources import FileFormat


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file, unpacked.

    Attributes:
        shown: as the user knows it: `flights.csv.zip`, or `flights.csv.zip!flights.csv` where there are several.
        path: where its bytes lie now.
    """

    shown: str
    path: Path
    format: FileFormat


class Files(Protocol):
    def opened(
        self, source: str, patterns: Sequence[str], format: FileFormat | None
    ) -> AbstractContextManager[Sequence[SourceFile]]:
        """The files of all patterns, each pattern's in the order of their names; unpacked while it lasts.

        Raises:
            DataRefused: no file, an empty one, one that cannot be unpacked, or an ending that names no format.
            SurroundingsFailed: the disk is full, or a file cannot be read.
        """

"""`Files` on this machine's disk."""

import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.files.unpack import unpacked
from trimtab.api.errors import DataRefused, InputRefused
from trimtab.api.sources import FileFormat
from trimtab.ports.files import SourceFile

_ENDINGS: Final[dict[str, FileFormat]] = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"
}  # fmt: skip


class LocalFiles:
    """Files under a folder, absolute ones, and those of installed distributions.

    Args:
        data_root: folder against which relative patterns are resolved.
        scratch: folder for what is unpacked; what a killed process left there is removed.
    """

    def __init__(self, data_root: Path, scratch: Path) -> None:
        self._data_root = data_root
        self._scratch = scratch

    @contextmanager
    def opened(
        self, source: str, patterns: Sequence[str], format: FileFormat | None
    ) -> Iterator[Sequence[SourceFile]]:
        found = [path for pattern in patterns for path in self._find(source, pattern)]
        with scratch(self._scratch) as folder:
            files = [
                SourceFile(shown, path, format or _format_of(source, shown, path))
                for packed in found
                for shown, path in unpacked(source, packed, folder)
            ]
            for file in files:
                if file.path.stat().st_size == 0:
                    raise DataRefused(
                        f"{source}: {file.shown} is empty",
                        remedy=f"write it anew, or correct `files` under sources.{source}",
                    )
            yield files

    def _find(self, source: str, pattern: str) -> list[Path]:
        if pattern.startswith("package:"):
            return [_in_distribution(source, pattern)]
        path = Path(pattern).expanduser()
        full = str(path if path.is_absolute() else self._data_root / path)
        found = sorted(Path(one) for one in glob(full, recursive=True)) if has_magic(full) else [Path(full)]
        files = [one for one in found if one.is_file()]
        if not files:
            raise DataRefused(
                f"{source}: there is no file {full}", remedy=f"correct `files` under sources.{source}"
            )
        return files


def _in_distribution(source: str, pattern: str) -> Path:
    """A file of an installed distribution, which is not imported."""
    name, _, inner = pattern.removeprefix("package:").partition("/")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise InputRefused(
            f"{source}: the distribution '{name}' is not installed", remedy=f"pip install {name}"
        ) from None
    for file in distribution.files or ():
        if inner in (file.as_posix(), f"{name}/{file.as_posix()}") or f"{name}/{inner}" == file.as_posix():
            return Path(str(distribution.locate_file(file)))
    raise DataRefused(
        f"{source}: the distribution '{name}' has no file {inner}",
        remedy=f"list its files: python -m pip show --files {name}",
    )


def _format_of(source: str, shown: str, path: Path) -> FileFormat:
    ending = re.sub(r"\.(zip|gz)$", "", path.name.lower())
    for known, format in _ENDINGS.items():
        if ending.endswith(known):
            return format
    raise InputRefused(
        f"{source}: the ending of {shown} names no format",
        remedy=f"say `format: csv`, parquet or jsonl under sources.{source}",
    )

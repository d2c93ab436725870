"""Tables in files, read whole into Arrow: parquet, csv, arrow, json lines, Delta."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import DataRefused, ExtraMissing, InputRefused


class FileMissing(InputRefused):
    """No file stands at the path."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no file {path}", remedy="check the path")


class FileKindUnknown(InputRefused):
    """The file's name says no kind that is read here."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: its kind is not known",
            remedy=f"name it {', '.join(sorted(READERS))}, or give a folder of parquet files or a Delta table",
        )


class FileUnreadable(DataRefused):
    """The file is empty, cut short, or not what its name says."""

    def __init__(self, path: Path, because: str) -> None:
        super().__init__(f"{path}: {because}", remedy="write the file again, or name it by its true kind")


def read(path: Path) -> Any:
    """The table in a file or folder, as a pyarrow.Table.

    Raises:
        FileMissing, FileKindUnknown, FileUnreadable: as they say.
        ExtraMissing: a Delta table, and the extra `data` is not installed.
    """
    import pyarrow as pa

    if not path.exists():
        raise FileMissing(path)
    reader = _folder if path.is_dir() else _reader(path)
    try:
        return reader(path)
    except (pa.ArrowException, OSError) as fault:
        because = "it is empty" if path.is_file() and path.stat().st_size == 0 else str(fault).splitlines()[0]
        raise FileUnreadable(path, because) from None


def _reader(path: Path) -> Callable[[Path], Any]:
    name = path.name.lower()
    for packed in (".gz", ".bz2", ".zst"):
        name = name.removesuffix(packed)
    reader = READERS.get(Path(name).suffix)
    if reader is None:
        raise FileKindUnknown(path)
    return reader


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def _csv(path: Path) -> Any:
    from pyarrow import csv

    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(block_size=1 << 24),
        parse_options=csv.ParseOptions(delimiter="\t" if ".tsv" in path.name.lower() else ","),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )


def _arrow(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            return pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source).read_all()


def _json_lines(path: Path) -> Any:
    from pyarrow import json

    return json.read_json(path)


def _folder(path: Path) -> Any:
    import pyarrow.dataset

    if not (path / "_delta_log").is_dir():
        return pyarrow.dataset.dataset(path, format="parquet").to_table()
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ModuleNotFoundError:
        raise ExtraMissing("data", f"reading the Delta table {path}") from None
    try:
        return pyarrow.table(DeltaTable(path).to_pyarrow_table())
    except DeltaError as fault:
        raise FileUnreadable(path, str(fault).splitlines()[0]) from None


READERS: Final[dict[str, Callable[[Path], Any]]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".csv": _csv,
    ".tsv": _csv,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".ipc": _arrow,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}

"""`Tables` on Delta Lake (delta-rs). What trimtab knows of a version stands in its commit, under `trimtab`."""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import deltalake
from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from trimtab.adapters.delta.schema import columns_of
from trimtab.adapters.delta.spans import file_spans
from trimtab.adapters.parquet import ParquetRows
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.tables import Bound, Content, TableVersion

SMALL_FILE_BYTES: Final = 16 << 20
_KEEP: Final = {
    "delta.enableExpiredLogCleanup": "false",  # a version is read for as long as its files stand
    "delta.dataSkippingNumIndexedCols": "-1",  # `cut` needs the least and greatest of any column
}
_DISK_FULL: Final = ("os error 28", "No space left", "os error 27", "File too large", "os error 122")


class DeltaTables:
    """Delta tables in the folders of one root.

    Args:
        root: made on the first commit.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def head(self, name: str) -> TableVersion | None:
        table = self._open(name)
        return None if table is None else _version(name, table)

    def at(self, name: str, version: int) -> TableVersion:
        return _version(name, self._open_at(name, version))

    def names(self) -> Sequence[str]:
        logs = [*self._root.glob("*/_delta_log"), *self._root.glob("_*/*/_delta_log")]
        return sorted(log.parent.relative_to(self._root).as_posix() for log in logs)

    def address(self, name: str) -> str:
        return str(self._root / name)

    def files(self, name: str, version: int, order: str | None = None) -> Sequence[str]:
        held = file_spans(self._open_at(name, version), order)
        return [str(self._root / name / span.path) for span in held]

    def numbered(self, name: str, version: int, order: str) -> ParquetRows:
        return ParquetRows(self.files(name, version, order), order)

    def overwrite(self, name: str, content: Content, *, base: int | None = None) -> TableVersion:
        with _writing(name, self._root), self._alone(name, base):
            deltalake.write_deltalake(
                self.address(name), content.batches, mode="overwrite", schema_mode="overwrite",
                configuration=_KEEP, commit_properties=_commit(content),
                writer_properties=WriterProperties(max_row_group_size=content.group_rows),
            )  # fmt: skip
        return self._written(name)

    def cut(self, name: str, column: str, value: Bound) -> Bound | None:
        table = self._open(name)
        held = [] if table is None else file_spans(table, column)
        if held and held[-1].size_bytes < SMALL_FILE_BYTES:
            value = min(value, held[-1].least)
        found: Bound | None = None
        for span in sorted(held, key=lambda span: span.greatest, reverse=True):
            if span.greatest < value:
                break
            value = found = min(value, span.least)
        return found

    def replace_from(
        self, name: str, column: str, bound: Bound, content: Content, *, base: int
    ) -> TableVersion:
        with _writing(name, self._root), self._alone(name, base):
            deltalake.write_deltalake(
                self.address(name), content.batches, mode="overwrite",
                predicate=f'"{column}" >= {_literal(bound)}', commit_properties=_commit(content),
            )  # fmt: skip
        return self._written(name)

    @contextmanager
    def _alone(self, name: str, base: int | None) -> Iterator[None]:
        """No other process of this machine commits meanwhile, nor has since `base`.

        Delta's own check lets two writers that both make the table append to each other.
        """
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = None if base is None else self._open(name)
            if held is not None and held.version() != base:
                raise SurroundingsFailed(
                    f"another run committed to table '{name}' meanwhile", remedy="run it again"
                )
            yield

    def _written(self, name: str) -> TableVersion:
        table = self._open(name)
        assert table is not None
        return _version(name, table)

    def _open(self, name: str) -> DeltaTable | None:
        try:
            return DeltaTable(self.address(name))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise SurroundingsFailed(f"table '{name}' cannot be opened: {error}") from error

    def _open_at(self, name: str, version: int) -> DeltaTable:
        try:
            return DeltaTable(self.address(name), version=version)
        except TableNotFoundError:
            raise InputRefused(
                f"there is no table '{name}'", remedy="run `trimtab run` first, or correct the name"
            ) from None
        except (DeltaError, OSError) as error:
            raise InputRefused(
                f"table '{name}' has no version {version}: {error}",
                remedy="name a version that was committed",
            ) from None


def _version(name: str, table: DeltaTable) -> TableVersion:
    held = _said(table)
    if not held:
        raise SurroundingsFailed(
            f"version {table.version()} of table '{name}' was not written by trimtab",
            remedy=f"restore it, or remove {table.table_uri} and run `trimtab run`",
        )
    return TableVersion(
        name, table.version(), columns_of(name, table), held["rows"], held["digest"], held["metadata"]
    )


def _said(table: DeltaTable) -> dict[str, Any]:
    """What was committed with this version, {} if trimtab did not write it.

    Read from the commit itself: `history` of a table opened at an older version gives the newest commits.
    """
    commit = Path(table.table_uri.removeprefix("file://")) / "_delta_log" / f"{table.version():020d}.json"
    for line in commit.read_text().splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            said: dict[str, Any] = json.loads(action["commitInfo"].get("trimtab", "{}"))
            return said
    return {}


def _commit(content: Content) -> CommitProperties:
    held: Mapping[str, Any] = {
        "rows": content.rows, "digest": content.digest, "metadata": dict(content.metadata)
    }  # fmt: skip
    return CommitProperties(custom_metadata={"trimtab": json.dumps(held, sort_keys=True)})


def _literal(bound: Bound) -> str:
    if isinstance(bound, datetime):
        return f"'{bound.strftime('%Y-%m-%dT%H:%M:%S.%f')}Z'"
    return f"'{bound.isoformat()}'" if isinstance(bound, date) else repr(bound)


@contextmanager
def _writing(name: str, root: Path) -> Iterator[None]:
    try:
        yield
    except CommitFailedError as error:
        raise SurroundingsFailed(
            f"another run committed to table '{name}' meanwhile: {error}", remedy="run it again"
        ) from error
    except (DeltaError, OSError) as error:
        if any(sign in str(error) for sign in _DISK_FULL):
            raise SurroundingsFailed(
                f"the disk is full: table '{name}' could not be written under {root}; "
                "its last version stands",
                remedy="free some space, or let another disk hold the tables, and run it again",
            ) from error
        raise SurroundingsFailed(f"table '{name}' could not be written: {error}") from error

"""`Tables` on Delta Lake (delta-rs). What trimtab knows of a version stands in its commit, under `trimtab`."""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import deltalake
from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from trimtab.adapters.delta.schema import columns_of
from trimtab.adapters.delta.spans import file_spans
from trimtab.adapters.object_store import (
    copy,
    folders,
    in_bucket,
    objects,
    opened,
    options,
    reached,
    sentence,
)
from trimtab.adapters.parquet import ParquetRows
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.tables import Bound, Content, TableVersion

SMALL_FILE_BYTES: Final = 16 << 20
_KEEP: Final = {
    "delta.enableExpiredLogCleanup": "false",  # a version is read for as long as its files stand
    "delta.dataSkippingNumIndexedCols": "-1",  # `cut` needs the least and greatest of any column
}
_DISK_FULL: Final = ("os error 28", "No space left", "os error 27", "File too large", "os error 122")

_MADE_MEANWHILE: Final = "already exists"
_OF_STORAGE: Final = "Error performing"  # as the clients of buckets begin


class DeltaTables:
    """Delta tables in the folders of one root. Writers that meet never append to each other: one of them fails.

    Args:
        root: made on the first commit; or an address in a bucket, which has to be there, of a storage that refuses to
            write an object that is there already when it is asked to (S3, its likes of today, GCS, Azure).
    """

    def __init__(self, root: Path | str) -> None:
        self._root = str(root).rstrip("/")
        self._apart = in_bucket(self._root)
        self._options = options(self._root) or None

    def head(self, name: str) -> TableVersion | None:
        table = self._open(name)
        return None if table is None else _version(name, table)

    def at(self, name: str, version: int) -> TableVersion:
        return _version(name, self._open_at(name, version))

    def names(self) -> Sequence[str]:
        if self._apart:
            return self._names_in_bucket()
        root = Path(self._root)
        logs = [*root.glob("*/_delta_log"), *root.glob("_*/*/_delta_log")]
        return sorted(log.parent.relative_to(root).as_posix() for log in logs)

    def _names_in_bucket(self) -> Sequence[str]:
        found = folders(self._root)
        behind = [
            f"{one}/{name}" for one in found if one[:1] == "_" for name in folders(f"{self._root}/{one}")
        ]
        every = [*(one for one in found if one[:1] != "_"), *behind]
        return sorted(one for one in every if "_delta_log" in folders(self.address(one)))

    def address(self, name: str) -> str:
        return f"{self._root}/{name}"

    def files(self, name: str, version: int, order: str | None = None) -> Sequence[str]:
        held = file_spans(self._open_at(name, version), order)
        return [f"{self.address(name)}/{span.path}" for span in held]

    def numbered(self, name: str, version: int, order: str) -> ParquetRows:
        return ParquetRows(self.files(name, version, order), order)

    def bring(self, name: str, version: int, root: Path) -> None:
        """Lay a version where it can be read as table `name` of another root, a folder: a link, or copies."""
        files, to = self.files(name, version), root / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if not self._apart:
            to.symlink_to(Path(self.address(name)).resolve(), target_is_directory=True)
            return
        log = f"{self.address(name)}/_delta_log"
        for one in (*(f"{log}/{entry}" for entry in objects(log)), *files):
            target = to / one.removeprefix(f"{self.address(name)}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            copy(one, target)

    def overwrite(self, name: str, content: Content, *, base: int | None = None) -> TableVersion:
        with _writing(name, self._root), self._alone(name, base) as held:
            deltalake.write_deltalake(
                held or self.address(name), content.batches,
                mode="overwrite" if held else "error", schema_mode="overwrite" if held else None,
                configuration=_KEEP, commit_properties=_commit(content), storage_options=self._options,
                writer_properties=WriterProperties(max_row_group_size=content.group_rows),
            )  # fmt: skip
        return self._written(name, held)

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
        with _writing(name, self._root), self._alone(name, base) as held:
            assert held is not None
            deltalake.write_deltalake(
                held, content.batches, mode="overwrite",
                predicate=f'"{column}" >= {_literal(bound)}', commit_properties=_commit(content),
            )  # fmt: skip
        return self._written(name, held)

    @contextmanager
    def _alone(self, name: str, base: int | None) -> Iterator[DeltaTable | None]:
        """The table to write upon, None before there is one: what others commit meanwhile fails the commit.

        Processes of this machine wait for each other instead.
        """
        with nullcontext() if self._apart else _locked(Path(self._root) / name):
            held = self._open(name)
            if held is not None and base is not None and held.version() != base:
                raise SurroundingsFailed(
                    f"another run committed to table '{name}' meanwhile", remedy="run it again"
                )
            yield held

    def _written(self, name: str, held: DeltaTable | None) -> TableVersion:
        """What was committed, though another may have committed since."""
        return _version(name, self._open_at(name, 0 if held is None else held.version()))

    @contextmanager
    def _reached(self, name: str) -> Iterator[None]:
        with reached(self.address(name)) if self._apart else nullcontext():
            yield

    def _open(self, name: str) -> DeltaTable | None:
        try:
            with self._reached(name):
                return DeltaTable(self.address(name), storage_options=self._options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise SurroundingsFailed(f"table '{name}' cannot be opened: {error}") from error

    def _open_at(self, name: str, version: int) -> DeltaTable:
        try:
            with self._reached(name):
                return DeltaTable(self.address(name), version=version, storage_options=self._options)
        except TableNotFoundError:
            raise InputRefused(
                f"there is no table '{name}'", remedy="run `trimtab run` first, or correct the name"
            ) from None
        except (DeltaError, OSError) as error:
            raise InputRefused(
                f"table '{name}' has no version {version}: {error}",
                remedy="name a version that was committed",
            ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    commit = f"{table.table_uri.removeprefix('file://').rstrip('/')}/_delta_log/{table.version():020d}.json"
    with opened(commit) if in_bucket(commit) else Path(commit).open("rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        action = json.loads(line)
        if "commitInfo" in action:
            said: dict[str, Any] = json.loads(action["commitInfo"].get("trimtab", "{}"))
            return said
    return {}


def _commit(content: Content) -> CommitProperties:
    held: Mapping[str, Any] = {
        "rows": content.rows, "digest": content.digest, "metadata": dict(content.metadata)
    }  # fmt: skip
    return CommitProperties(
        custom_metadata={"trimtab": json.dumps(held, sort_keys=True)},
        max_commit_retries=0,  # the next version or none: no content rests on rows that it has not seen
    )


def _literal(bound: Bound) -> str:
    if isinstance(bound, datetime):
        return f"'{bound.strftime('%Y-%m-%dT%H:%M:%S.%f')}Z'"
    return f"'{bound.isoformat()}'" if isinstance(bound, date) else repr(bound)


@contextmanager
def _writing(name: str, root: str) -> Iterator[None]:
    try:
        yield
    except CommitFailedError as error:
        raise SurroundingsFailed(
            f"another run committed to table '{name}' meanwhile: {error}", remedy="run it again"
        ) from error
    except (DeltaError, OSError) as error:
        if _MADE_MEANWHILE in str(error):
            raise SurroundingsFailed(
                f"another run made table '{name}' meanwhile: {error}", remedy="run it again"
            ) from error
        if in_bucket(root) and (isinstance(error, OSError) or _OF_STORAGE in str(error)):
            raise sentence(f"{root}/{name}", error) from error
        if any(sign in str(error) for sign in _DISK_FULL):
            raise SurroundingsFailed(
                f"the disk is full: table '{name}' could not be written under {root}; "
                "its last version stands",
                remedy="free some space, or let another disk hold the tables, and run it again",
            ) from error
        raise SurroundingsFailed(f"table '{name}' could not be written: {error}") from error

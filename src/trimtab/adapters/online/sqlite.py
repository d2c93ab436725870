"""The online store in one SQLite file: many processes read while one writes (write-ahead log)."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from trimtab.adapters.online.layouts import Layouts
from trimtab.adapters.online.newest import newest
from trimtab.adapters.online.packing import Layout, columns_of, layout_id, pack
from trimtab.api.errors import SurroundingsFailed
from trimtab.features.columns import Array, Columns, Kind
from trimtab.ports.online import Found

_SCHEMA = """
create table if not exists layouts (id integer primary key, view text not null, kinds text not null);
create table if not exists latest (
    view text not null, key text not null, time integer not null, packed blob not null,
    primary key (view, key)
) without rowid;
"""
_UPSERT = """
insert into latest (view, key, time, packed) values (?, ?, ?, ?)
on conflict (view, key) do update set time = excluded.time, packed = excluded.packed
where excluded.time >= latest.time
"""
BUSY_TIMEOUT_S = 10.0
ROWS_KEPT = 50_000
_NOT_A_TIME = np.iinfo(np.int64).min


_Row: TypeAlias = tuple[int, dict[str, Any]]


class SqliteOnlineStore:
    """`trimtab.ports.online.OnlineStore` in a file. Threads may share one; calls are serialised.

    Rows once read are kept, unpacked, until anyone writes: SQLite's data_version tells in 3 µs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._layouts = Layouts()
        self._rows: dict[str, dict[str | None, _Row | None]] = {}
        self._rows_version = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._connection.execute("pragma mmap_size = 268435456")
            self._connection.executescript(_SCHEMA)
            self._read_layouts()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def read(self, wanted: Sequence[tuple[str, Sequence[str | None]]]) -> list[Found]:
        with self._lock:
            try:
                self._forget_rows_if_written()
                return [self._found(view, keys) for view, keys in wanted]
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def write(
        self,
        view: str,
        kinds: Mapping[str, Kind],
        keys: Sequence[str | None],
        times: Array | None,
        columns: Columns,
    ) -> int:
        names, stamps, chosen = newest(keys, times)
        layout = Layout.of(kinds)
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    number = self._layout_number(view, layout)
                    before = self._connection.total_changes
                    rows = pack(layout, number, columns, chosen)
                    self._connection.executemany(
                        _UPSERT, ((view, k, t, row) for k, t, row in zip(names, stamps, rows, strict=True))
                    )
                    taken = self._connection.total_changes - before
                    self._connection.execute("commit")
                except BaseException:
                    self._connection.execute("rollback")
                    raise
                self._read_layouts()
                self._rows.clear()
            except sqlite3.Error as error:
                raise self._failed(error) from error
        return taken

    def _forget_rows_if_written(self) -> None:
        """Another connection's commit changes data_version; our own writes forget by themselves."""
        (version,) = self._connection.execute("pragma data_version").fetchone()
        if version != self._rows_version or sum(map(len, self._rows.values())) > ROWS_KEPT:
            self._rows.clear()
            self._rows_version = version

    def _found(self, view: str, keys: Sequence[str | None]) -> Found:
        rows = self._rows.setdefault(view, {None: None})
        unread = [key for key in set(keys) if key not in rows]
        for start in range(0, len(unread), 512):
            part = unread[start : start + 512]
            read: dict[str | None, _Row | None] = dict.fromkeys(part)
            marks = ",".join("?" * len(part))
            query = f"select key, time, packed from latest where view = ? and key in ({marks})"
            for key, time, packed in self._connection.execute(query, (view, *part)):
                if layout_id(packed) not in self._layouts:
                    self._read_layouts()
                read[key] = (time, self._layouts.row(packed))
            rows.update(read)
        hits = [rows[key] for key in keys]
        if self._layouts.kinds(view) is None:
            self._read_layouts()
        times = np.array([_NOT_A_TIME if hit is None else hit[0] for hit in hits], np.int64)
        return Found(
            times.view("datetime64[us]"),
            columns_of(self._layouts.kinds(view) or {}, [None if hit is None else hit[1] for hit in hits]),
        )

    def _layout_number(self, view: str, layout: Layout) -> int:
        """The layout's id, made known to readers."""
        self._read_layouts()
        self._layouts.agree(view, layout)
        number = layout.number(view)
        self._connection.execute(
            "insert into layouts (id, view, kinds) values (?, ?, ?) on conflict do nothing",
            (number, view, layout.to_json()),
        )
        return number

    def _read_layouts(self) -> None:
        for number, view, kinds in self._connection.execute(
            "select id, view, kinds from layouts order by rowid"
        ):
            self._layouts.add(number, view, kinds)

    def _failed(self, error: sqlite3.Error) -> SurroundingsFailed:
        return SurroundingsFailed(
            f"{self._path}: the online store cannot be used ({error})",
            remedy="see that the disk has room and the file is yours; `trimtab run` fills it again",
        )

"""The online store in one SQLite file: many processes read while one writes (write-ahead log)."""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from trimtab.adapters.online.packing import Layout, columns_of, layout_id, pack, unpacker
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

    A row carries the id of its layout, so that rows written before a column was added stay readable.
    Rows once read are kept, unpacked, until anyone writes: SQLite's data_version tells in 3 µs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._layouts: dict[int, tuple[tuple[str, ...], Callable[[bytes], list[Any]]]] = {}
        self._kinds: dict[str, dict[str, Kind]] = {}
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
        micros = (
            np.zeros(len(keys), np.int64) if times is None else times.astype("datetime64[us]").view(np.int64)
        )
        chosen = _latest(keys, micros, times)
        layout = Layout.of(kinds)
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    number = self._layout_number(view, layout)
                    before = self._connection.total_changes
                    rows = pack(layout, number, columns, chosen)
                    stamps = micros[chosen].tolist()
                    names = [keys[i] for i in chosen.tolist()]
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
                names, unpack = self._layout(layout_id(packed))
                read[key] = (time, dict(zip(names, unpack(packed), strict=True)))
            rows.update(read)
        hits = [rows[key] for key in keys]
        if view not in self._kinds:
            self._read_layouts()
        times = np.array([_NOT_A_TIME if hit is None else hit[0] for hit in hits], np.int64)
        return Found(
            times.view("datetime64[us]"),
            columns_of(self._kinds.get(view, {}), [None if hit is None else hit[1] for hit in hits]),
        )

    def _layout(self, number: int) -> tuple[tuple[str, ...], Callable[[bytes], list[Any]]]:
        if number not in self._layouts:
            self._read_layouts()
        return self._layouts[number]

    def _layout_number(self, view: str, layout: Layout) -> int:
        """The layout's id, made known to readers."""
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
            layout = Layout.from_json(kinds)
            names = (*(name for name, _ in layout.flat), *layout.texts)
            self._layouts[number] = (names, unpacker(layout))
            self._kinds.setdefault(view, {}).update(layout.kinds)

    def _failed(self, error: sqlite3.Error) -> SurroundingsFailed:
        return SurroundingsFailed(
            f"{self._path}: the online store cannot be used ({error})",
            remedy="see that the disk has room and the file is yours; `trimtab run` fills it again",
        )


def _latest(keys: Sequence[str | None], micros: Array, times: Array | None) -> Array:
    """Index of each key's last row by time, then by place; null keys and rows without a time left out."""
    last: dict[str, int] = {}
    nowhere = np.isnat(times).tolist() if times is not None else None
    stamps = micros.tolist()
    for i, key in enumerate(keys):
        if key is None or (nowhere is not None and nowhere[i]):
            continue
        held = last.get(key)
        if held is None or stamps[i] >= stamps[held]:
            last[key] = i
    return np.fromiter(last.values(), np.int64, len(last))

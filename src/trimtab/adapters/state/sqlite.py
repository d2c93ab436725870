"""State in one SQLite file: statuses with optimistic versions, orders, events.

Many processes may use the file at once (the loop and the command): WAL, and every write one short transaction
that is on disk when it returns (synchronous=FULL), unless it need not be durable.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.state import Act, Conflict, Document, Event

_SCHEMA = """
create table if not exists status (kind text, name text, body text not null, version integer not null,
    primary key (kind, name)) without rowid;
create table if not exists orders (name text primary key, id text not null, verb text not null, revision text not null,
    step text not null, by text not null, at text not null) without rowid;
create table if not exists suspended (name text primary key) without rowid;
create table if not exists events (number integer primary key autoincrement, at text not null, resource text not null,
    kind text not null, revision text not null, because text not null, bounds text not null);
"""
_BUSY_S = 10.0


class SqliteState:
    """ports.state.State over one file; made if it is not there. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def read(self, kind: str, name: str) -> Document | None:
        with self._told():
            row = self._db.execute(
                "select body, version from status where kind = ? and name = ?", (kind, name)
            ).fetchone()
        return None if row is None else Document(json.loads(row[0]), str(row[1]))

    def write(
        self,
        kind: str,
        name: str,
        body: Mapping[str, object],
        version: str | None,
        events: Sequence[Event] = (),
        *,
        durable: bool = True,
    ) -> str:
        text = json.dumps(body, separators=(",", ":"))
        with self._transaction(durable):
            row = self._db.execute(
                "select version from status where kind = ? and name = ?", (kind, name)
            ).fetchone()
            held = None if row is None else str(row[0])
            if held != version:
                raise Conflict(f"{kind} {name} is at version {held}, not {version}")
            new = 1 if row is None else row[0] + 1
            self._db.execute("insert or replace into status values (?, ?, ?, ?)", (kind, name, text, new))
            self._db.executemany(
                "insert into events (at, resource, kind, revision, because, bounds) values (?, ?, ?, ?, ?, ?)",
                [
                    (e.at.isoformat(), e.resource, e.kind, e.revision, e.because, json.dumps(dict(e.bounds)))
                    for e in events
                ],
            )
        return str(new)

    def act(self, name: str) -> Act | None:
        with self._told():
            row = self._db.execute(
                "select id, verb, revision, step, by, at from orders where name = ?", (name,)
            ).fetchone()
        if row is None:
            return None
        id, verb, revision, step, by, at = row
        return Act(id, verb, revision, step, by, datetime.fromisoformat(at))

    def order(self, name: str, act: Act) -> None:
        with self._transaction():
            self._db.execute(
                "insert or replace into orders values (?, ?, ?, ?, ?, ?, ?)",
                (name, act.id, act.verb, act.revision, act.step, act.by, act.at.isoformat()),
            )

    def suspended(self, name: str) -> bool:
        with self._told():
            return self._db.execute("select 1 from suspended where name = ?", (name,)).fetchone() is not None

    def suspend(self, name: str, suspended: bool) -> None:
        with self._transaction():
            if suspended:
                self._db.execute("insert or ignore into suspended values (?)", (name,))
            else:
                self._db.execute("delete from suspended where name = ?", (name,))

    def events(self, after: int = 0) -> Sequence[tuple[int, Event]]:
        with self._told():
            rows = self._db.execute(
                "select number, at, resource, kind, revision, because, bounds from events"
                " where number > ? order by number",
                (after,),
            ).fetchall()
        return [
            (number, Event(datetime.fromisoformat(at), resource, kind, revision, because, json.loads(bounds)))
            for number, at, resource, kind, revision, because, bounds in rows
        ]

    def seen(self) -> str:
        """Our own changes and those of other processes, each counted by SQLite."""
        with self._told():
            (theirs,) = self._db.execute("pragma data_version").fetchone()
        return f"{theirs}/{self._db.total_changes}"

    @contextmanager
    def _transaction(self, durable: bool = True) -> Iterator[None]:
        with self._told():
            self._db.execute(f"pragma synchronous={'full' if durable else 'normal'}")
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SurroundingsFailed(
                f"the loop's state {self._path} cannot be used: {error}",
                remedy="see that the disk has room and the file is writable, and that it is a SQLite file",
            ) from error

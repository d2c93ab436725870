"""The order in which tables are built: each after those that its SQL reads."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trimtab.api.errors import InputRefused
from trimtab.ports.engine import Session, SqlFailed


@dataclass(frozen=True, slots=True)
class TableSql:
    """The SQL of one table.

    Attributes:
        path: the file, as the user named it.
        text: one SELECT.
    """

    path: str
    text: str


class SqlRefused(InputRefused):
    """A table's SQL cannot be run; names file and line."""

    def __init__(self, sql: TableSql, line: int | None, message: str, remedy: str) -> None:
        super().__init__(f"{sql.path}:{line}: {message}" if line else f"{sql.path}: {message}", remedy=remedy)
        self.path = sql.path
        self.line = line


def refused(sql: TableSql, error: SqlFailed) -> SqlRefused:
    """The engine's failure, as the user's."""
    message, *hints = (part.strip() for part in error.message.split("\n") if part.strip())
    remedy = " ".join(hints) if hints and len(hints) <= 2 else "correct the SQL"
    return SqlRefused(sql, error.line, message, remedy)


def ordered(
    session: Session, sql: Mapping[str, TableSql], sources: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """What each table reads, sources and tables, in an order in which each stands after what it reads.

    Raises:
        SqlRefused: SQL that is not one SELECT, a name that nothing has, or tables that read each other.
    """
    known = {name.lower(): name for name in (*sources, *sql)}
    reads = {name: _reads(session, one, known) for name, one in sql.items()}
    done: dict[str, tuple[str, ...]] = {}
    while len(done) < len(sql):
        ready = [
            name for name in sql if name not in done and all(r in sources or r in done for r in reads[name])
        ]
        if not ready:
            cycle = _cycle({name: reads[name] for name in sql if name not in done})
            raise SqlRefused(
                sql[cycle[0]], _line_of(sql[cycle[0]].text, cycle[1]),
                f"tables read each other: {' → '.join(cycle)}", "take one of these reads out",
            )  # fmt: skip
        done |= {name: reads[name] for name in ready}
    return done


def _reads(session: Session, sql: TableSql, known: Mapping[str, str]) -> tuple[str, ...]:
    try:
        names = session.tables_in(sql.text)
    except SqlFailed as error:
        raise refused(sql, error) from None
    for name in sorted(names):
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            raise SqlRefused(
                sql, _line_of(sql.text, name), f"there is no source or table '{name}'",
                f"did you mean '{known[near[0]]}'?" if near else f"known: {', '.join(sorted(known.values()))}",
            )  # fmt: skip
    return tuple(sorted({known[name.lower()] for name in names}))


def _cycle(reads: Mapping[str, Collection[str]]) -> list[str]:
    """A walk that ends where it began; each of these tables reads another of them."""
    walk = [next(iter(reads))]
    while walk[-1] not in walk[:-1]:
        walk.append(next(one for one in reads[walk[-1]] if one in reads))
    return walk[walk.index(walk[-1]) :]


def _line_of(text: str, name: str) -> int | None:
    found = re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)
    return text[: found.start()].count("\n") + 1 if found else None

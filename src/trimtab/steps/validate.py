"""Validate: do the rows of tables keep what expectations.yaml says of them?

Rows that break an expectation of `else: quarantine` go to the table `_quarantine/<name>` with the reason; the
others go on, as the table `_valid/<name>`. Without such a row nothing is copied. Rows at or after the run's `until`
are not judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trimtab.api.errors import InputRefused
from trimtab.api.expectations import Expectations
from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import listed, literal
from trimtab.ports.engine import Engine, Session, SqlFailed
from trimtab.ports.tables import Content, Pointer, Tables
from trimtab.steps.checks import OFTEN, Judged, judge
from trimtab.steps.content import sums
from trimtab.steps.until import mount_until

REASON = "trimtab_reason"


@dataclass(frozen=True, slots=True)
class TableJudged:
    """One table and its expectations.

    Attributes:
        rows: seen.
        judged: by expectation, in the file's order.
        quarantined: rows that were taken out.
        good: the rows that go on.
        quarantine: the rows taken out, with the reason; None without any.
    """

    table: str
    rows: int
    judged: tuple[Judged, ...]
    quarantined: int
    good: Pointer
    quarantine: Pointer | None

    @property
    def passed(self) -> bool:
        """No expectation of `else: fail` is broken."""
        return not any(one.broken and one.otherwise == "fail" for one in self.judged)

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "rows": self.rows,
            "quarantined": self.quarantined,
            "good": self.good.to_json(),
            "quarantine": self.quarantine.to_json() if self.quarantine else None,
            "expectations": [one.to_json() for one in self.judged],
        }

    @classmethod
    def from_json(cls, name: str, data: Mapping[str, Any]) -> "TableJudged":
        return cls(
            table=name,
            rows=data["rows"],
            judged=tuple(Judged.from_json(one) for one in data["expectations"]),
            quarantined=data["quarantined"],
            good=Pointer.from_json(data["good"]),
            quarantine=Pointer.from_json(data["quarantine"]) if data["quarantine"] else None,
        )


@dataclass(frozen=True, slots=True)
class Validated:
    """All tables that were judged.

    Attributes:
        tables: by name, those without expectations too.
    """

    tables: Mapping[str, TableJudged]

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.tables.values())

    @property
    def pointers(self) -> dict[str, Pointer]:
        """The rows that go on, by table."""
        return {name: one.good for name, one in self.tables.items()}

    @property
    def because(self) -> str:
        """What is broken and fails, in a sentence; empty if it passed."""
        said = [
            f"{name}: {one.says} — {one.found}"
            for name, table in self.tables.items()
            for one in table.judged
            if one.broken and one.otherwise == "fail"
        ]
        return "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a report."""
        return {
            "passed": self.passed,
            "because": self.because,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Validated":
        """From `to_json`."""
        return cls({name: TableJudged.from_json(name, table) for name, table in data["tables"].items()})

    def then(self, later: "Validated") -> "Validated":
        """What was judged before and after, as one."""
        return Validated({**self.tables, **later.tables})


def validate(
    pointers: Mapping[str, Pointer],
    expectations: Expectations,
    *,
    engine: Engine,
    tables: Tables,
    now: datetime,
    times: Mapping[str, str] | None = None,
) -> Validated:
    """Judge each table that is pointed to; expectations of other names wait for their call.

    Args:
        now: the run's `until`: no row at or after it is judged, and freshness is seen from it.
        times: event-time column by table, where it has one.

    Raises:
        InputRefused: an expectation names an unknown column, or an expression that SQL cannot take.
    """
    judged = {}
    for name, pointer in pointers.items():
        with engine.session(until=now, repeatable=True) as session:
            cut = mount_until(session, tables, "rows_seen", pointer, (times or {}).get(name), now)
            judged[name] = _table(
                name, pointer, expectations.of(name), session, tables, now, whole=cut is None
            )
    return Validated(judged)


def _table(
    name: str,
    pointer: Pointer,
    expectations: list[Any],
    session: Session,
    tables: Tables,
    now: datetime,
    *,
    whole: bool,
) -> TableJudged:
    columns = tables.at(pointer.table, pointer.version).columns
    found, bad = [], []
    for index, one in enumerate(expectations):
        path = f"{name}[{index}]"
        try:
            verdict = judge(one, columns, session, "rows_seen", now, path)
        except SqlFailed as error:
            raise InputRefused(
                f"expectations.yaml: {path}: {error.message}", remedy="correct the expression"
            ) from None
        found.append(verdict)
        if verdict.broken and verdict.otherwise == "quarantine":
            bad.append(verdict)
    whole = whole and pointer.filter is None
    rows = pointer.rows if whole else int(session.rows("select count(*) from rows_seen")[0][0])
    if not bad:
        return TableJudged(name, rows, tuple(found), 0, pointer, None)
    good, quarantine = _parted(name, pointer, bad, columns, session, tables)
    return TableJudged(name, rows, tuple(found), rows - good.rows, good, quarantine)


def _parted(
    name: str,
    pointer: Pointer,
    bad: list[Judged],
    columns: Mapping[str, ColumnType],
    session: Session,
    tables: Tables,
) -> tuple[Pointer, Pointer]:
    """Commit good and bad rows apart."""
    reasons = ", ".join(f"case when {one.bad} then {literal(one.says)} end" for one in bad)
    # a window, as a uniqueness is judged by, cannot stand in a where
    session.materialise(
        "parted",
        f"select *, nullif(concat_ws('; ', {reasons}), '') as {REASON} "
        f"from (select *, row_number() over () as {OFTEN} from rows_seen)",
    )
    metadata = {"step": "validate", "of": pointer.to_json(), "order": None}
    names = listed(list(columns))
    good = _commit(
        f"_valid/{name}",
        f"select {names} from parted where {REASON} is null order by {OFTEN}",
        columns,
        metadata,
        session,
        tables,
    )
    quarantine = _commit(
        f"_quarantine/{name}", f"select {names}, {REASON} from parted where {REASON} is not null order by {OFTEN}",
        {**columns, REASON: "string"}, metadata, session, tables,
    )  # fmt: skip
    return good, quarantine


def _commit(
    name: str,
    query: str,
    columns: Mapping[str, ColumnType],
    metadata: Mapping[str, Any],
    session: Session,
    tables: Tables,
) -> Pointer:
    session.materialise("part", query)
    content = sums(session, "part", columns)
    digest = content.digest(columns)
    held = tables.head(name)
    if held is None or held.digest != digest:
        batches = session.stream("select * from part")
        held = tables.overwrite(name, Content(columns, batches, content.rows, digest, metadata))
    return Pointer(name, held.version, held.rows, held.digest)

"""The type of a text column, from all its values: the narrowest that loses nothing.

`007` stays text (a number would lose its zeros), so does a whole number of 19 digits or more.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from trimtab.api.sources import ColumnType
from trimtab.ports.dialect import literal, quoted
from trimtab.ports.engine import Session
from trimtab.steps.ingest.conversion import DATE, NAIVE, WHOLE, ZONED, matches

SAMPLE_ROWS: Final = 20_000

# what is counted of a column's values, as predicates
_COUNTS: Final = (
    "{c} is not null",
    f"{matches('{c}', WHOLE.replace('{', '{{').replace('}', '}}'))}",
    "try_cast({c} as double) is not null",
    r"regexp_matches({c}, '^\s*[+-]?(0[0-9]|[0-9]{{19}})')",
    "lower(trim({c})) in ('true', 'false')",
    f"{matches('{c}', ZONED.replace('{', '{{').replace('}', '}}'))}",
    f"{matches('{c}', NAIVE.replace('{', '{{').replace('}', '}}'))}",
    f"{matches('{c}', DATE.replace('{', '{{').replace('}', '}}'))}",
)


def infer(
    session: Session, relation: str, columns: Sequence[str], zones: Mapping[str, str], *, every_row: bool
) -> dict[str, ColumnType | None]:
    """Type by column of a relation's text columns; None where no value says one.

    Args:
        zones: zone by column of times that carry none.
        every_row: False looks at the first 20,000 rows.
    """
    if not columns:
        return {}
    asked = ", ".join(
        f"count(*) filter ({count.format(c=quoted(one))})" for one in columns for count in _COUNTS
    )
    limit = "" if every_row else f" limit {SAMPLE_ROWS}"
    row = session.rows(f"select {asked} from (select * from {relation}{limit})")[0]
    width = len(_COUNTS)
    return {
        name: _type(*(int(count) for count in row[i * width : (i + 1) * width]), zoned_by=zones.get(name))
        for i, name in enumerate(columns)
    }


def _type(
    values: int, whole: int, number: int, coded: int, boolean: int, zoned: int, naive: int, day: int,
    *, zoned_by: str | None,
) -> ColumnType | None:  # fmt: skip
    if values == 0:
        return None
    if boolean == values:
        return "boolean"
    if number == values and not coded:
        return "integer" if whole == values else "number"
    if day == values and zoned_by is None:
        return "date"
    if zoned + naive + day == values:
        return "timestamp"
    return "string"


def type_of_value(session: Session, value: str) -> str:
    """The type that one text says, for a message."""
    found = infer(session, f"(select {literal(value)} as v)", ["v"], {}, every_row=True)["v"]
    return str(found)

"""expectations.yaml: what must hold of a table's rows, by the name of a source or a table.

    departures:
    - {check: range, column: distance, atLeast: 1, atMost: 6000, else: quarantine}

A null passes every check but `complete`: whether a value may be missing is one question, what it may be is
another.
"""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, RootModel, model_validator

from trimtab.api.sources import Column, ColumnType
from trimtab.api.values import Duration, Spec

Otherwise = Literal["fail", "quarantine", "warn"]
OfTable = Literal["fail", "warn"]
Value = str | int | float | bool


def _as_text(value: object) -> object:
    """YAML reads an unquoted 2013-01-01 as a day."""
    return value.isoformat() if isinstance(value, date) else value


Bounded = Annotated[str | int | float, BeforeValidator(_as_text)]
"""A bound: a number, or a time or day as text (RFC 3339)."""


class Schema(Spec):
    """The table holds these columns with these types; more are allowed."""

    check: Literal["schema"]
    columns: Annotated[dict[Column, ColumnType], Field(min_length=1, max_length=4096)]
    otherwise: OfTable = Field(default="fail", alias="else")


class Complete(Spec):
    """At least this share of a column's values is there."""

    check: Literal["complete"]
    column: Column
    at_least: Annotated[float, Field(gt=0, le=1)] = 1.0
    otherwise: Otherwise = Field(default="fail", alias="else")

    @model_validator(mode="after")
    def _one_by_one(self) -> Self:
        if self.otherwise == "quarantine" and self.at_least < 1:
            raise ValueError(
                "a share below 1 names no row to quarantine — use `else: warn`, or leave atLeast out"
            )
        return self


class Unique(Spec):
    """No two rows agree in these columns; the first of them, in the table's order, is the good one."""

    check: Literal["unique"]
    columns: Annotated[list[Column], Field(min_length=1, max_length=16)]
    otherwise: Otherwise = Field(default="fail", alias="else")


class Range(Spec):
    """Each value lies between the bounds, which belong to the range."""

    check: Literal["range"]
    column: Column
    at_least: Bounded | None = None
    at_most: Bounded | None = None
    otherwise: Otherwise = Field(default="fail", alias="else")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a range needs a bound — give atLeast, atMost or both")
        return self


class Allowed(Spec):
    """Each value is one of these."""

    check: Literal["allowed"]
    column: Column
    values: Annotated[list[Value], Field(min_length=1, max_length=10_000)]
    otherwise: Otherwise = Field(default="fail", alias="else")


class Row(Spec):
    """A SQL expression over one row is true."""

    check: Literal["row"]
    expression: Annotated[str, Field(min_length=1, max_length=4096)]
    otherwise: Otherwise = Field(default="fail", alias="else")


class Volume(Spec):
    """The table holds this many rows."""

    check: Literal["volume"]
    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None
    otherwise: OfTable = Field(default="fail", alias="else")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_most is None and self.at_least == 0:
            raise ValueError("a volume needs a bound — give atLeast, atMost or both")
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("atMost is below atLeast — swap them")
        return self


class Fresh(Spec):
    """The newest value is at most this old, seen from the run's `until`, else from now."""

    check: Literal["fresh"]
    column: Column
    within: Duration
    otherwise: OfTable = Field(default="fail", alias="else")


Expectation = Annotated[
    Schema | Complete | Unique | Range | Allowed | Row | Volume | Fresh, Field(discriminator="check")
]


class Expectations(RootModel[dict[str, Annotated[list[Expectation], Field(max_length=1024)]]]):
    """All expectations, by table."""

    def of(self, table: str) -> list[Any]:
        """Those of one table, in the file's order."""
        return list(self.root.get(table, []))

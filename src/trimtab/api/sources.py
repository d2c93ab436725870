"""Where rows come from: `sources:` of trimtab.yaml, and the six types that a table's column may have."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from trimtab.api.values import Duration, Spec

ColumnType = Literal["integer", "number", "boolean", "string", "timestamp", "date"]
"""int64 · float64 · bool · UTF-8 · microseconds UTC · day. No other type is ever in a table."""

FileFormat = Literal["csv", "parquet", "jsonl"]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"'{name}' is no IANA time zone — write one such as America/New_York or UTC"
        ) from None
    return name


Column = Annotated[str, Field(min_length=1, max_length=255)]
Pattern = Annotated[str, Field(min_length=1, max_length=1024)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]


class Load(Spec):
    """How often-read files become one table."""

    mode: Literal["full", "incremental"] = Field(
        default="full", description="full: the table is what the files hold"
    )
    watermark: Column | None = Field(
        None, description="column by which rows grow: event time, a day, a number"
    )
    lookback: Duration = Field(
        default=timedelta(0), description="rows this far behind the watermark are read anew"
    )
    key: Annotated[list[Column], Field(max_length=16)] = Field(
        default_factory=list,
        description="names a row; incremental loads replace by it, full ones refuse a second",
    )

    @model_validator(mode="after")
    def _incremental_needs(self) -> Self:
        if self.mode == "incremental" and self.watermark is None:
            raise ValueError("mode incremental needs a watermark — name the column by which rows grow")
        if self.mode == "incremental" and not self.key:
            raise ValueError("mode incremental needs a key — name the columns that tell rows apart")
        if self.lookback and self.mode == "full":
            raise ValueError("lookback means nothing with mode full, which reads everything — remove it")
        if len(set(self.key)) != len(self.key):
            raise ValueError("the key names a column twice — name each once")
        return self


class Source(Spec):
    """Files that become one versioned table."""

    files: Pattern | Annotated[list[Pattern], Field(min_length=1, max_length=256)] = Field(
        description="paths or globs relative to dataRoot, or package:DIST/path; read in name order"
    )
    format: FileFormat | None = Field(default=None, description="default: by the file's ending")
    nulls: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)] = Field(
        default_factory=lambda: [""], description="texts of a csv file that mean: no value"
    )
    time_zones: Annotated[dict[Column, Zone], Field(max_length=256)] = Field(
        default_factory=dict, description="IANA zone of times that carry none"
    )
    cast: Annotated[dict[Column, ColumnType], Field(max_length=1024)] = Field(
        default_factory=dict,
        description="type to convert to; what does not convert becomes null, and is counted",
    )
    ignore: Annotated[list[Column], Field(max_length=1024)] = Field(
        default_factory=list, description="columns that are not read"
    )
    accept: Annotated[list[Column], Field(max_length=1024)] = Field(
        default_factory=list, description="new columns to take; older rows hold null there"
    )
    load: Load = Field(default_factory=Load)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for column in self.ignore:
            if column in {*self.load.key, self.load.watermark, *self.cast, *self.time_zones, *self.accept}:
                raise ValueError(f"column '{column}' is ignored and used — take it out of `ignore`")
        return self

    @property
    def patterns(self) -> list[str]:
        """The files' patterns, as a list."""
        return [self.files] if isinstance(self.files, str) else self.files

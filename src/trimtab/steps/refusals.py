"""Data that is not what was declared: each refusal names the source, the column, the file and row, and what to do."""

from collections.abc import Sequence

from trimtab.api.errors import DataRefused


class ColumnTypeChanged(DataRefused):
    """A source sent another type than the table holds."""

    def __init__(self, source: str, column: str, held: str, sent: str, file: str, row: int) -> None:
        super().__init__(
            f"{source}: column '{column}' holds {held}, but row {row} of {file} sends {sent}",
            remedy=f"fix the source, or say `cast: {{{column}: {held}}}` under sources.{source} in trimtab.yaml",
        )
        self.column = column
        self.row = row


class ColumnMissing(DataRefused):
    """A source no longer sends a column, or sends it under another name."""

    def __init__(self, source: str, column: str, file: str, renamed: str | None) -> None:
        if renamed:
            message = f"{source}: {file} has no column '{column}'; was it renamed to '{renamed}'?"
            remedy = f"name it '{column}' again in the file"
        else:
            message = f"{source}: {file} has no column '{column}'"
            remedy = "put it back into the file"
        super().__init__(
            message, remedy=f"{remedy}, or `trimtab clean --table {source}` to begin the table anew"
        )
        self.column = column


class ColumnNew(DataRefused):
    """A source sends a column that the table does not hold."""

    def __init__(self, source: str, column: str, file: str) -> None:
        super().__init__(
            f"{source}: {file} has a new column '{column}'",
            remedy=f"say `accept: [{column}]` under sources.{source} in trimtab.yaml to take it, "
            f"or `ignore: [{column}]` to leave it out",
        )
        self.column = column


class ColumnUnknown(DataRefused):
    """trimtab.yaml names a column that no file has."""

    def __init__(self, source: str, field: str, column: str, near: str | None) -> None:
        super().__init__(
            f"{source}: {field} names the column '{column}', which no file has",
            remedy=f"did you mean '{near}'?"
            if near
            else f"correct {field} under sources.{source} in trimtab.yaml",
        )
        self.column = column


class ColumnForeign(DataRefused):
    """A column of a type that no table holds."""

    def __init__(self, source: str, column: str, kind: str) -> None:
        super().__init__(
            f"{source}: column '{column}' is {kind}, which no table holds",
            remedy=f"say `cast: {{{column}: string}}` under sources.{source} in trimtab.yaml to take it as text, "
            f"or `ignore: [{column}]`",
        )
        self.column = column


class TimestampNaive(DataRefused):
    """A time without a zone, and no zone declared."""

    def __init__(self, source: str, column: str, value: str, file: str, row: int) -> None:
        super().__init__(
            f"{source}: column '{column}' holds times without a zone ('{value}' in row {row} of {file})",
            remedy=f"say `timeZones: {{{column}: America/New_York}}` (or where it is) under sources.{source} "
            "in trimtab.yaml, or write the times with Z or an offset",
        )
        self.column = column


class KeysTwice(DataRefused):
    """Rows that should differ in their key do not."""

    def __init__(
        self, source: str, key: Sequence[str], keys: int, examples: Sequence[Sequence[object]]
    ) -> None:
        shown = "; ".join(", ".join(f"{k}={v}" for k, v in zip(key, one, strict=True)) for one in examples)
        super().__init__(
            f"{source}: {keys:,} keys stand on more than one row, such as {shown}",
            remedy=f"remove the doubles, correct `key` under sources.{source}.load, "
            "or load incrementally, where the later row wins",
        )


class WatermarkUnfit(DataRefused):
    """The watermark cannot tell which rows are new."""

    def __init__(self, source: str, column: str, because: str) -> None:
        super().__init__(
            f"{source}: the watermark '{column}' {because}",
            remedy=f"choose another `watermark` under sources.{source}.load, or mend the rows",
        )


class NoRows(DataRefused):
    """Files without a row where rows are needed."""

    def __init__(self, source: str, files: Sequence[str], because: str) -> None:
        named = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        super().__init__(f"{source}: {named} {because}", remedy="write rows into it, or correct the path")

"""What DuckDB raises, as what trimtab raises."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import duckdb

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.engine import SqlFailed

_KINDS: Final = {"Parser": "syntax", "Catalog": "catalog", "Binder": "binder"}
_DISK_FULL: Final = ("No space left", "File too large", "max_temp_directory_size", "Could not write")


@contextmanager
def translated(sql: str, offset: int = 0) -> Iterator[None]:
    """Turns DuckDB's exceptions into SqlFailed and SurroundingsFailed.

    Args:
        sql: what the person wrote; lines are counted in it.
        offset: bytes that stand before `sql` in what DuckDB was given.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise SurroundingsFailed(
            f"SQL ran out of memory: {_details(error)[0]}", remedy="read fewer columns or rows at a time"
        ) from None
    except duckdb.Error as error:
        message, details = _details(error)
        if any(sign in message for sign in _DISK_FULL):
            raise SurroundingsFailed(
                f"the disk is full: {message}", remedy="free some space, and run it again"
            ) from None
        position = details.get("position")
        line = None
        if position is not None and int(position) >= offset:
            line = sql.encode()[: int(position) - offset].count(b"\n") + 1
        kind = _KINDS.get(str(details.get("exception_type")), "run")
        raise SqlFailed(message, line=line, kind=kind) from None


def _details(error: duckdb.Error) -> tuple[str, dict[str, Any]]:
    text = str(error)
    if found := re.search(r"\{.*\}", text, re.DOTALL):
        try:
            details = dict(json.loads(found.group()))
            return str(details.get("exception_message", text)), details
        except ValueError:
            pass
    return re.sub(r"^[A-Za-z ]+ Error: ", "", text), {}

"""What happens in one hour of a recording."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the endpoint.

    Attributes:
        id: its X-Request-Id.
        rows: predictions asked for.
        body: V2 JSON.
    """

    id: str
    rows: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """A label that became known.

    Attributes:
        id: the prediction's key.
        time: the example's own time.
    """

    id: str
    label: float
    known_at: datetime
    time: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """Rows of a view that became known, for the online store.

    Attributes:
        view: the view's name.
        by: columns that make its key.
        times: datetime64[us], shape (rows,); None for a view without time.
        columns: all columns, `by` among them, shape (rows,).
    """

    view: str
    by: tuple[str, ...]
    times: np.ndarray | None
    columns: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Hour:
    """One step: what is known at its start, and what is asked in the hour that follows.

    Attributes:
        appended: rows to append to source files, as the source writes them, by file.
    """

    start: datetime
    appended: Mapping[str, Sequence[str]] = field(default_factory=dict)
    known: Sequence[Known] = ()
    outcomes: Sequence[Outcome] = ()
    requests: Sequence[Request] = ()


class World(Protocol):
    """A recorded stretch of time."""

    def before(self) -> Hour:
        """All that was known at the start, with no requests."""

    def hours(self) -> Iterator[Hour]:
        """The hours in order, those in which nothing happens left out."""


def v2_body(request_id: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """A V2 inference request (Open Inference Protocol): column name → (datatype, values)."""
    import orjson

    rows = len(next(iter(columns.values()))[1])
    inputs = [
        {"name": name, "shape": [rows], "datatype": datatype, "data": list(values)}
        for name, (datatype, values) in columns.items()
    ]
    return orjson.dumps({"id": request_id, "inputs": inputs})

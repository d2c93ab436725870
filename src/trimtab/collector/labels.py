"""Outcomes as they are posted: which example, what came true, and when that became known."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from trimtab.collector.event import BAD_JSON, EARLIEST_US, LATEST_US, EventRefused, Name, microseconds

Moment = Annotated[datetime, Meta(tz=True)]


class Posted(Struct, gc=False):
    id: Name
    label: float
    known_at: Moment
    time: Moment | None = None


class Body(Struct, forbid_unknown_fields=True):
    labels: list[Posted]


class Label(Struct, frozen=True, gc=False):
    """One outcome.

    Attributes:
        known_us: when it became known, µs since the epoch.
        time_us: the example's own event time, where the sender gives it: it places an example that was never
            predicted here, as history before the first revision.
    """

    id: str
    label: float
    known_us: int
    time_us: int | None


_body: Final = msgspec.json.Decoder(Body)


def decode_labels(body: bytes) -> list[Label]:
    """All labels of a post.

    Raises:
        EventRefused: names the first field at fault, with its index; then none is taken.
    """
    try:
        posted = _body.decode(body).labels
    except BAD_JSON as error:
        raise EventRefused(
            f"labels: {error}", remedy='send {"labels": [{"id": "…", "label": 0, "known_at": "<RFC 3339>"}]}'
        ) from error
    labels = []
    for index, one in enumerate(posted):
        known_us = microseconds(one.known_at)
        time_us = None if one.time is None else microseconds(one.time)
        for field, value in (("known_at", known_us), ("time", time_us)):
            if value is not None and not EARLIEST_US <= value <= LATEST_US:
                raise EventRefused(f"labels[{index}].{field}: outside 1970–2200")
        labels.append(Label(one.id, one.label, known_us, time_us))
    return labels

"""Predictions as the collector logged them, read from its log or a copy of it: by id, newest first."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trimtab.api.errors import InputRefused, SurroundingsFailed

if TYPE_CHECKING:
    from trimtab.collector.log import Kind

SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Logged:
    """One answer to one row.

    Attributes:
        at: the row's event time.
        prediction: positive-class probability, or value; None where it was not finite.
        features: as the model saw them.
    """

    id: str
    revision: str
    at: datetime
    prediction: float | None
    features: Mapping[str, Any]


def predictions(text: str, collector: Path) -> list[Logged]:
    """Every answer logged for one id, the newest event time first.

    Args:
        text: the id, or its first characters.

    Raises:
        InputRefused: no such id was logged, or several begin so.
        SurroundingsFailed: the log cannot be read.
    """
    found = list(_rows(collector, text))
    exact = [one for one in found if one.id == text]
    begun = sorted({one.id for one in found if one.id.startswith(text)})
    if not exact and len(begun) > 1:
        raise InputRefused(
            f"'{text}' begins {len(begun)} prediction ids",
            remedy=f"name one of them: {', '.join(begun[:SHOWN])}{', …' if len(begun) > SHOWN else ''}",
        )
    if not begun:
        some = _some_ids(collector)
        raise InputRefused(
            f"no prediction '{text}' was logged in {collector}",
            remedy=f"a prediction's id is its key; the last ones are {', '.join(some)}"
            if some
            else "no prediction was logged yet: trimtab up, and send requests; --collector names a copy of the log of "
            "a cluster's collector; a model is named as NAME/3",
        )
    chosen = exact or [one for one in found if one.id == begun[0]]
    return sorted(chosen, key=lambda one: one.at, reverse=True)


def profile_digests(collector: Path) -> dict[str, str]:
    """sha256 of the profile.json that the collector was given of each revision, hex.

    Raises:
        SurroundingsFailed: the log cannot be read.
    """
    import msgspec

    from trimtab.collector.log import Kind
    from trimtab.collector.replay import RevisionPut

    puts = (msgspec.json.decode(one, type=RevisionPut) for one in _payloads(collector, Kind.REVISION))
    return {put.name: hashlib.sha256(base64.b64decode(put.profile)).hexdigest() for put in puts}


def _rows(collector: Path, text: str) -> Iterator[Logged]:
    """Rows whose id begins with a text."""
    from trimtab.collector.log import Kind

    written = {text.encode(), json.dumps(text)[1:-1].encode()}
    for payload in _payloads(collector, Kind.EVENTS):
        if any(one in payload for one in written):
            yield from (one for one in _decoded(payload) if one.id.startswith(text))


def _some_ids(collector: Path) -> list[str]:
    from trimtab.collector.log import Kind

    last: bytes | None = None
    for payload in _payloads(collector, Kind.EVENTS):
        last = payload
    return [] if last is None else [one.id for one in _decoded(last)][-3:]


def _payloads(collector: Path, kind: "Kind") -> Iterator[bytes]:
    """The records of one kind in the log, oldest first; a tail that is being written is left out."""
    from trimtab.collector.log import frames

    try:
        for segment in sorted(collector.glob("[0-9]*.log")):
            for _, record in frames(memoryview(segment.read_bytes())):
                if record.kind is kind:
                    yield record.payload
    except OSError as error:
        raise SurroundingsFailed(f"{collector}: the log cannot be read ({error.strerror})") from error


def _decoded(payload: bytes) -> Iterator[Logged]:
    from trimtab.collector.event import Inference, decode_batch

    for event in decode_batch(payload):
        if not isinstance(event, Inference) or event.rows is None:
            continue
        rows = event.rows
        for i, name in enumerate(rows.ids):
            yield Logged(
                id=name,
                revision=event.revision,
                at=datetime.fromtimestamp(rows.times[i] / 1e6, UTC),
                prediction=rows.predictions[i],
                features={feature: values[i] for feature, values in rows.features.items()},
            )

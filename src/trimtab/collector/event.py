"""CloudEvents as they come over the wire, and as values once they are checked.

CloudEvents 1.0, JSON format: the envelope is decoded first and its data by type after that, so that one bad
event in a batch is refused alone. Attributes may be strings, as the HTTP binary mode sends them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Raw, Struct

from trimtab.api.errors import DataRefused

INFERENCE: Final = "dev.trimtab.inference"
AGENT_REQUEST: Final = "org.kubeflow.serving.inference.request"
AGENT_RESPONSE: Final = "org.kubeflow.serving.inference.response"

LONGEST_NAME: Final = 1024
MOST_FEATURES: Final = 2_000
EARLIEST_US: Final = 0
LATEST_US: Final = 7_258_118_400_000_000  # the year 2200
BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Cell = bool | float | str | None


class EventRefused(DataRefused):
    """One event cannot be taken; the message names the field."""


class Envelope(Struct, gc=False):
    """The attributes of an event that we read; others are ignored."""

    id: Name
    source: Name
    type: Name
    time: Annotated[datetime, Meta(tz=True)] | None = None
    revision: str = ""
    inferenceservicename: str = ""
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    durationms: Annotated[float, Meta(ge=0)] | None = None
    rows: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    metadata: str = ""
    sequence: str = ""
    data: Raw = Raw(b"null")


class Rows(Struct, gc=False):
    """The rows of one answered request.

    Attributes:
        ids: example ids, shape (rows,).
        times: event times, µs since the epoch, shape (rows,).
        features: the model's features, a list of shape (rows,) each; None is missing.
        predictions: positive-class probability or value, shape (rows,); None is not finite.
    """

    ids: list[Name]
    times: list[Annotated[int, Meta(ge=EARLIEST_US, le=LATEST_US)]]
    features: dict[str, list[Cell]]
    predictions: list[float | None]


class Inference(Struct, frozen=True, gc=False):
    """One request to one revision, as our own server reports it; `rows` is None for a failed one.

    Attributes:
        id: the event's, with its sequence in the source: a request that was tried again has the same request id.
    """

    revision: str
    source: str
    id: str
    time_us: int
    status: int
    duration_ms: float
    row_count: int
    rows: Rows | None


class AgentHalf(Struct, frozen=True, gc=False):
    """One side of a request as KServe's agent reports it.

    Attributes:
        request_id: X-Request-Id where the agent logs that header, else the event's id.
        body: the V1 or V2 body, decoded; None where it is no JSON.
        is_warmup: whether the operator asked, to warm a server up or to see whether it is ready.
    """

    revision: str
    source: str
    id: str
    is_response: bool
    request_id: str
    time_us: int
    body: Any
    is_warmup: bool = False


Event = Inference | AgentHalf

_envelope: Final = msgspec.json.Decoder(Envelope, strict=False)
_envelopes: Final = msgspec.json.Decoder(list[Envelope], strict=False)
_raws: Final = msgspec.json.Decoder(list[Raw])
_rows: Final = msgspec.json.Decoder(Rows)
_any: Final = msgspec.json.Decoder()


def decode_batch(body: bytes) -> list[Event | EventRefused]:
    """Each event of a batch, checked, or why it is refused.

    Raises:
        EventRefused: the body is no JSON list.
    """
    try:
        return [checked(envelope) for envelope in _envelopes.decode(body)]
    except BAD_JSON:
        pass
    try:
        raws = _raws.decode(body)
    except BAD_JSON as error:
        raise EventRefused(f"body: {error}", remedy="send a JSON list of CloudEvents") from error
    return [_one(raw) for raw in raws]


def structured(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """The JSON list of events that a post holds, whichever of CloudEvents' three HTTP modes it uses.

    Raises:
        EventRefused: the content type is none of CloudEvents' and there are no ce- headers.
    """
    content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if content_type == b"application/cloudevents-batch+json":
        return body
    if content_type == b"application/cloudevents+json":
        return b"[" + body + b"]"
    if b"ce-id" not in headers and b"ce-type" not in headers:
        raise EventRefused(
            f"content-type: '{content_type.decode('latin-1')}' is no CloudEvent",
            remedy="send application/cloudevents-batch+json, application/cloudevents+json, or ce- headers",
        )
    attributes: dict[str, Any] = {
        name.removeprefix(b"ce-").decode("latin-1"): unquote(value.decode("utf-8", "replace"))
        for name, value in headers.items()
        if name.startswith(b"ce-")
    }
    try:
        attributes["data"] = msgspec.json.decode(body, type=Raw)
    except BAD_JSON:
        attributes["data"] = None
    return b"[" + msgspec.json.encode(attributes) + b"]"


def split_batch(body: bytes) -> list[bytes]:
    """The raw text of each event of a batch that `decode_batch` has read."""
    return [bytes(raw) for raw in _raws.decode(body)]


def _one(raw: Raw) -> Event | EventRefused:
    try:
        return checked(_envelope.decode(raw))
    except BAD_JSON as error:
        return EventRefused(str(error))


def checked(envelope: Envelope) -> Event | EventRefused:
    """The event's value, or why it cannot be taken."""
    if envelope.type == INFERENCE:
        return _inference(envelope)
    if envelope.type in (AGENT_REQUEST, AGENT_RESPONSE):
        return _agent_half(envelope)
    return EventRefused(f"type: '{envelope.type}' is none of {INFERENCE}, {AGENT_REQUEST}, {AGENT_RESPONSE}")


def microseconds(time: datetime) -> int:
    """µs since the epoch of an aware time."""
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def revision_of(envelope: Envelope) -> str:
    """The attribute, else the hash8 that ends the InferenceService's name, else that name."""
    if envelope.revision:
        return envelope.revision
    service = envelope.inferenceservicename
    tail = service.rpartition("-")[2]
    is_hash = len(tail) == 8 and all(letter in "0123456789abcdef" for letter in tail)
    return tail if is_hash else service


def _inference(envelope: Envelope) -> Inference | EventRefused:
    revision = revision_of(envelope)
    if not revision:
        return EventRefused("revision: missing")
    if len(revision) > LONGEST_NAME:
        return EventRefused(f"revision: longer than {LONGEST_NAME}")
    if envelope.time is None:
        return EventRefused("time: missing")
    if envelope.status is None:
        return EventRefused("status: missing")
    time_us = microseconds(envelope.time)
    if not EARLIEST_US <= time_us <= LATEST_US:
        return EventRefused(f"time: {envelope.time.isoformat()} is outside 1970–2200")
    try:
        rows = _rows.decode(envelope.data) if bytes(envelope.data) != b"null" else None
    except BAD_JSON as error:
        return EventRefused(f"data: {error}")
    if rows is not None and (fault := _uneven(rows)):
        return EventRefused(fault)
    count = len(rows.ids) if rows is not None else envelope.rows or 0
    duration = envelope.durationms or 0.0
    identity = f"{envelope.id}#{envelope.sequence}" if envelope.sequence else envelope.id
    return Inference(revision, envelope.source, identity, time_us, envelope.status, duration, count, rows)


def _uneven(rows: Rows) -> str | None:
    count = len(rows.ids)
    if len(rows.times) != count:
        return f"data.times: {len(rows.times)} values for {count} ids"
    if len(rows.predictions) != count:
        return f"data.predictions: {len(rows.predictions)} values for {count} ids"
    if len(rows.features) > MOST_FEATURES:
        return f"data.features: {len(rows.features)} features; at most {MOST_FEATURES}"
    for name, column in rows.features.items():
        if len(column) != count:
            return f"data.features.{name}: {len(column)} values for {count} ids"
    return None


def checked_rows(rows: dict[str, Any]) -> Rows | None:
    """Rows made of plain values, or None where their types or lengths do not fit."""
    try:
        made = msgspec.convert(rows, Rows)
    except msgspec.ValidationError:
        return None
    return None if _uneven(made) else made


def _agent_half(envelope: Envelope) -> AgentHalf | EventRefused:
    revision = revision_of(envelope)
    if not revision:
        return EventRefused("inferenceservicename: missing")
    if envelope.time is None:
        return EventRefused("time: missing")
    try:
        body = _any.decode(envelope.data)
    except BAD_JSON:
        body = None
    headers = _logged_headers(envelope.metadata)
    return AgentHalf(
        revision,
        envelope.source,
        envelope.id,
        envelope.type == AGENT_RESPONSE,
        headers.get("x-request-id", "")[:LONGEST_NAME] or envelope.id,
        microseconds(envelope.time),
        body,
        "x-trimtab-warmup" in headers,
    )


def _logged_headers(metadata: str) -> dict[str, str]:
    """Those that the agent was told to log, the first value of each: from JSON of name to list of values."""
    if not metadata:
        return {}
    try:
        headers = _any.decode(metadata)
    except BAD_JSON:
        return {}
    if not isinstance(headers, dict):
        return {}
    return {
        name.lower(): str(values[0])
        for name, values in headers.items()
        if isinstance(values, list) and values
    }

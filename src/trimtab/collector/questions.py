"""The questions of `/v1/windows/…` and their answers as JSON.

Times are RFC 3339 with a zone; a parameter that is missing, unknown or of a wrong type is refused by name.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from msgspec import Meta, Struct

from trimtab.api.errors import InputRefused
from trimtab.collector import latency
from trimtab.collector.cohorts import Maturity, Question
from trimtab.collector.event import EPOCH, microseconds
from trimtab.collector.ledger import Ledger, Revision
from trimtab.collector.scores import agreement, paired, scored
from trimtab.ports.evidence import BlockCut, Latencies, RequestCount

Moment = Annotated[datetime, Meta(tz=True)]
DAY_S: Final = 86_400
MOMENTS: Final = ("start", "end", "now")


class QuestionRefused(InputRefused):
    """A question that cannot be answered as it stands.

    Args:
        status: HTTP status: 400 wrong parameter, 404 unknown revision, 409 its profile has not come.
    """

    def __init__(self, message: str, *, http_status: int = 400, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status


class Nothing(Struct, forbid_unknown_fields=True):
    pass


class Span(Struct, forbid_unknown_fields=True):
    revision: str
    start: Moment
    end: Moment

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError("start is after end")

    @property
    def span_us(self) -> tuple[int, int]:
        return microseconds(self.start), microseconds(self.end)


class RequestsSpan(Span):
    bucket_s: Annotated[int, Meta(ge=1, le=86_400)]

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if 86_400 % self.bucket_s:
            raise ValueError("bucket_s does not divide 86400")


class ScoredSpan(Span):
    now: Moment
    length_s: Annotated[int, Meta(ge=60, le=86_400 * 366)] = 86_400
    zone: str = "UTC"
    cut_hour: Annotated[int, Meta(ge=0, le=23)] = 4

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if self.length_s % DAY_S and DAY_S % self.length_s:
            raise ValueError("length_s is neither whole days nor divides one")
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"zone '{self.zone}' is no IANA time zone") from error

    @property
    def question(self) -> Question:
        cut = BlockCut(self.length_s, self.zone, self.cut_hour)
        return Question(*self.span_us, cut, microseconds(self.now))


class PairedSpan(ScoredSpan, kw_only=True):
    candidate: str


class AgreementSpan(Span):
    candidate: str


S = TypeVar("S", bound=Struct)


def parsed(query: Mapping[str, str], shape: type[S]) -> S:
    for name in MOMENTS:
        if query.get(name, "T").replace(".", "").lstrip("-").isdigit():  # which would pass as seconds
            raise QuestionRefused(f"query: {name} is no RFC 3339 time: {query[name]}")
    try:
        return msgspec.convert(dict(query), shape, strict=False)
    except msgspec.ValidationError as error:
        raise QuestionRefused(f"query: {error}") from error


def known(ledger: Ledger, name: str) -> Revision:
    revision = ledger.revisions.get(name)
    if revision is None:
        raise QuestionRefused(
            f"revision: '{name}' is unknown here",
            http_status=404,
            remedy=f"PUT its profile to /v1/revisions/{name}, or send one of its events",
        )
    return revision


def maturity_of(revision: Revision, name: str) -> Maturity:
    if revision.model is None:
        raise unobserved(name)
    if revision.model.maturity is None:
        raise QuestionRefused(
            f"revision: the profile of '{name}' has no label rule",
            http_status=409,
            remedy="ask no labelled metric",
        )
    return revision.model.maturity


def unobserved(name: str) -> QuestionRefused:
    return QuestionRefused(
        f"revision: the profile of '{name}' has not come",
        http_status=409,
        remedy=f"PUT it to /v1/revisions/{name}",
    )


def sketches(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, Span)
    revision = known(ledger, asked.revision)
    if revision.model is None:
        raise unobserved(asked.revision)
    return {
        "features": [
            {
                "grid": sketch.grid.to_json(),
                "sketch": base64.b64encode(sketch.to_bytes()).decode(),
            }
            for sketch in revision.hours.sketches(*asked.span_us)
        ]
    }


def requests(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, RequestsSpan)
    revision = known(ledger, asked.revision)
    waiting = ledger.halves.unanswered_us(asked.revision)
    counts = revision.requests.counts(*asked.span_us, asked.bucket_s * 1_000_000, waiting)
    return {"buckets": [RequestCount(moment(start_us), *rest) for start_us, *rest in counts]}


def latencies(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, Span)
    counts = known(ledger, asked.revision).requests.latencies(*asked.span_us)
    return Latencies(latency.EDGES_MS, counts.tolist())


def scored_blocks(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, ScoredSpan)
    revision = known(ledger, asked.revision)
    rule = maturity_of(revision, asked.revision)
    return {"blocks": scored(revision.predictions, ledger.examples, rule, asked.question)}


def paired_blocks(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, PairedSpan)
    stable, candidate = known(ledger, asked.revision), known(ledger, asked.candidate)
    rule = maturity_of(stable, asked.revision)
    blocks = paired(stable.predictions, candidate.predictions, ledger.examples, rule, asked.question)
    return {"blocks": blocks}


def agreement_of(ledger: Ledger, query: Mapping[str, str]) -> Any:
    asked = parsed(query, AgreementSpan)
    stable, candidate = known(ledger, asked.revision), known(ledger, asked.candidate)
    return agreement(stable.predictions, candidate.predictions, *asked.span_us)


def predictions(ledger: Ledger, query: Mapping[str, str]) -> Any:
    """Columns id, time (µs since the epoch), p (null where not finite), label (null where none has come)."""
    asked = parsed(query, Span)
    held = known(ledger, asked.revision).predictions
    start_us, end_us = asked.span_us
    times = held.time_us
    inside = np.flatnonzero((times >= start_us) & (times < end_us))
    example = held.example[inside]
    names = ledger.examples.names()
    ids = [names[number] for number in example.tolist()]
    order = sorted(range(len(ids)), key=lambda row: (int(times[inside[row]]), ids[row]))
    return {
        "id": [ids[row] for row in order],
        "time_us": times[inside][order].tolist(),
        "p": held.value[inside][order].tolist(),
        "label": ledger.examples.label_value[example][order].tolist(),
    }


def received(ledger: Ledger, query: Mapping[str, str]) -> Any:
    parsed(query, Nothing)
    return {"received": ledger.received}


def moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)


QUESTIONS: Final[Mapping[str, Callable[[Ledger, Mapping[str, str]], Any]]] = {
    "/v1/windows/sketches": sketches,
    "/v1/windows/requests": requests,
    "/v1/windows/latencies": latencies,
    "/v1/windows/scored": scored_blocks,
    "/v1/windows/paired": paired_blocks,
    "/v1/windows/agreement": agreement_of,
    "/v1/predictions": predictions,
    "/v1/received": received,
}

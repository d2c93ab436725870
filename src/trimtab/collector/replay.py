"""From the log back to the ledger: what a start does before the first request."""

import base64

import msgspec
from msgspec import Struct

from trimtab.collector.event import EventRefused, decode_batch
from trimtab.collector.labels import decode_labels
from trimtab.collector.ledger import Ledger
from trimtab.collector.log import Kind, Log, Record
from trimtab.collector.model import Model


class RevisionPut(Struct):
    name: str
    profile: str


def revision_record(name: str, profile_bytes: bytes) -> Record:
    put = RevisionPut(name, base64.b64encode(profile_bytes).decode())
    return Record(Kind.REVISION, msgspec.json.encode(put))


def opening(ledger: Ledger) -> list[Record]:
    """What a new segment starts with, so that those before it can go: totals, and the profiles held."""
    totals = Record(Kind.TOTALS, msgspec.json.encode(ledger.received))
    held = ledger.revisions.items()
    return [totals, *(revision_record(name, one.profile_bytes) for name, one in held if one.model)]


def restore(ledger: Ledger, log: Log) -> None:
    """Take every record of the log; the totals of the first segment alone count, the others repeat them.

    Raises:
        EventRefused: a record that was written cannot be read: the log is of another version.
    """
    first = log.segments[0].number if log.segments else 0
    for segment, record in log.replay():
        newest_us = -1
        if record.kind is Kind.EVENTS:
            newest_us = _take_events(ledger, record.payload)
        elif record.kind is Kind.LABELS:
            labels = decode_labels(record.payload)
            ledger.label(labels)
            newest_us = max((label.known_us for label in labels), default=-1)
        elif record.kind is Kind.REVISION:
            put = msgspec.json.decode(record.payload, type=RevisionPut)
            profile_bytes = base64.b64decode(put.profile)
            ledger.observe(put.name, Model.of(profile_bytes), profile_bytes)
        elif segment.number == first:
            ledger.add_received(msgspec.json.decode(record.payload, type=dict[str, int]))
        segment.newest_us = max(segment.newest_us, newest_us)


def _take_events(ledger: Ledger, payload: bytes) -> int:
    newest_us = -1
    for event in decode_batch(payload):
        if isinstance(event, EventRefused):
            raise event
        ledger.take(event)
        newest_us = max(newest_us, event.time_us)
    return newest_us

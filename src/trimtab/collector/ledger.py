"""All that the collector knows, as the sum of the records that it took.

Taking a record never fails: it was checked before it was logged. Every answer is a function of the set of
records, not of their order; a record that comes again changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from trimtab.collector.event import AGENT_REQUEST, AGENT_RESPONSE, INFERENCE, AgentHalf, Event, Inference
from trimtab.collector.examples import NEVER_US, Examples
from trimtab.collector.halves import Halves, rows_of
from trimtab.collector.hours import HOUR_US, Hours
from trimtab.collector.labels import Label
from trimtab.collector.model import Model
from trimtab.collector.predictions import Predictions
from trimtab.collector.requests import UNANSWERED, Requests

CLOCK_EVENTS: Final = 100


@dataclass(slots=True)
class Revision:
    """What one revision was asked and answered; `model` is None until its profile comes."""

    requests: Requests = field(default_factory=Requests)
    predictions: Predictions = field(default_factory=Predictions)
    hours: Hours = field(default_factory=Hours)
    model: Model | None = None
    profile_bytes: bytes = b""
    incomplete: int = 0


class Ledger:
    """Owner of every revision's columns, the examples and what has been seen."""

    def __init__(self) -> None:
        self.revisions: dict[str, Revision] = {}
        self.examples = Examples()
        self.halves = Halves()
        self.received: dict[str, int] = {}
        self.duplicates = 0
        self.newest_us = -1
        self._seen: dict[int, set[int]] = {}

    def take(self, event: Event) -> bool:
        """Add one event; False where it was seen before. The operator's own requests are no traffic."""
        if isinstance(event, AgentHalf) and event.is_warmup:
            return True
        seen = self._seen.setdefault(event.time_us // HOUR_US, set())
        before = len(seen)
        seen.add(hash((event.revision, event.source, event.id, type_of(event))))
        if len(seen) == before:
            self.duplicates += 1
            return False
        self.newest_us = max(self.newest_us, event.time_us)
        revision = self.revision(event.revision)
        if isinstance(event, Inference):
            self._take_inference(revision, event)
        else:
            self._take_half(revision, event)
        return True

    @property
    def clock_us(self) -> int | None:
        """How far event time has come: the hour by which all but the newest 1 % of events lie; None below 100.

        A few events with a clock of their own (a failed request has no time but the wall's) must not make a
        replayed year look old.
        """
        left = max(CLOCK_EVENTS, sum(map(len, self._seen.values())) // 100)
        for hour in sorted(self._seen, reverse=True):
            left -= len(self._seen[hour])
            if left <= 0:
                return hour * HOUR_US
        return None

    @property
    def oldest_us(self) -> int:
        """Start of the oldest hour that holds an event, µs since the epoch; NEVER_US for none."""
        return min(self._seen, default=NEVER_US // HOUR_US) * HOUR_US

    def revision(self, name: str) -> Revision:
        found = self.revisions.get(name)
        if found is None:
            found = self.revisions[name] = Revision()
        return found

    def _take_inference(self, revision: Revision, event: Inference) -> None:
        self.received[event.revision] = self.received.get(event.revision, 0) + 1
        revision.requests.add(event.time_us, event.status, event.duration_ms, event.row_count)
        rows = event.rows
        if rows is None:
            revision.incomplete += event.status // 100 == 2
            return
        examples = self.examples.numbers(rows.ids, rows.times)
        revision.predictions.add(examples, rows.times, rows.predictions)
        revision.hours.add(event.time_us, event.row_count, rows.features)

    def _take_half(self, revision: Revision, half: AgentHalf) -> None:
        if not half.is_response:
            self.received[half.revision] = self.received.get(half.revision, 0) + 1
        other, given_up = self.halves.meet(half)
        if given_up is not None and not given_up.is_response:
            self.revision(given_up.revision).requests.add(given_up.time_us, UNANSWERED, 0.0, 0)
        if other is None:
            return
        request, response = (other, half) if half.is_response else (half, other)
        rows = rows_of(request, response)
        duration_ms = max(0.0, (response.time_us - request.time_us) / 1_000)
        revision.requests.add(request.time_us, 200, duration_ms, len(rows.ids) if rows else 0)
        if rows is None:
            revision.incomplete += 1
            return
        examples = self.examples.numbers(rows.ids, rows.times)
        revision.predictions.add(examples, rows.times, rows.predictions)
        revision.hours.add(request.time_us, len(rows.ids), rows.features)

    def label(self, labels: Iterable[Label]) -> None:
        for label in labels:
            time_us = NEVER_US if label.time_us is None else label.time_us
            self.examples.label(label.id, label.label, label.known_us, time_us)

    def observe(self, name: str, model: Model, profile_bytes: bytes) -> None:
        """A revision's profile has come; one that it holds already stays."""
        revision = self.revision(name)
        if revision.model is None:
            revision.model, revision.profile_bytes = model, profile_bytes
            revision.hours.learn(model.grids)

    def add_received(self, totals: Mapping[str, int]) -> None:
        """What a log's first segment says of events that are no longer in it."""
        for name, count in totals.items():
            self.received[name] = self.received.get(name, 0) + count

    def forget(self, before_us: int) -> None:
        """Drop everything older than a time; counts of received events stay."""
        before_us -= before_us % HOUR_US
        self._seen = {hour: seen for hour, seen in self._seen.items() if hour * HOUR_US >= before_us}
        renumbered = self.examples.forget(before_us)
        for revision in self.revisions.values():
            revision.requests.forget(before_us)
            revision.predictions.forget(before_us, renumbered)
            revision.hours.forget(before_us)


def type_of(event: Event) -> str:
    if isinstance(event, Inference):
        return INFERENCE
    return AGENT_RESPONSE if event.is_response else AGENT_REQUEST

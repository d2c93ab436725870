"""What the collector does with each request: which route, what is logged, what is answered."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from trimtab.api.errors import DataRefused, InputRefused
from trimtab.collector.commit import Entry, GroupCommit
from trimtab.collector.event import (
    EventRefused,
    decode_batch,
    split_batch,
    structured,
)
from trimtab.collector.http import TEXT, Request
from trimtab.collector.labels import decode_labels
from trimtab.collector.ledger import Ledger
from trimtab.collector.log import Kind, Log, LogRefused, Record
from trimtab.collector.metrics import exposition
from trimtab.collector.model import Model
from trimtab.collector.probes import PATH as PROBED
from trimtab.collector.probes import Probes
from trimtab.collector.questions import QUESTIONS, QuestionRefused
from trimtab.collector.replay import revision_record

MOST_REASONS_TOLD: Final = 100
_logger: Final = logging.getLogger("trimtab.collector")


class Sink:
    """The handler of every request; owns the ledger."""

    def __init__(self, ledger: Ledger, log: Log, commit: GroupCommit) -> None:
        self._ledger = ledger
        self._log = log
        self._commit = commit
        self._refused: Counter[str] = Counter()
        self._probes = Probes()

    def handle(self, request: Request) -> None:
        """Answer one request, now or when its records are written."""
        self._guard(request, lambda: self._route(request))

    def _guard(self, request: Request, act: Callable[[], None]) -> None:
        try:
            act()
        except QuestionRefused as error:
            request.refuse(error.http_status, error.message, error.remedy)
        except (EventRefused, InputRefused) as error:
            self._refused["request"] += 1
            request.refuse(400, error.message, error.remedy)
        except Exception:
            _logger.exception(
                "failed: %s %s", request.method.decode(), request.target.decode("utf-8", "replace")
            )
            request.refuse(500, "a fault of the collector; its log says more")

    def _route(self, request: Request) -> None:
        path, method = request.path, request.method
        if path in QUESTIONS:
            allow(request, b"GET", lambda: self._ask(request, path))
        elif path == "/":
            allow(request, b"POST", lambda: self._events(request))
        elif path == "/v1/labels":
            allow(request, b"POST", lambda: self._labels(request))
        elif path.startswith("/v1/revisions/") and len(path) > len("/v1/revisions/"):
            allow(request, b"PUT", lambda: self._revision(request, path.removeprefix("/v1/revisions/")))
        elif path.startswith(PROBED) and len(path) > len(PROBED):
            allow(request, b"GET", lambda: self._probed(request, path.removeprefix(PROBED)))
        elif path == "/v1/probes":
            allow(request, b"GET", lambda: self._count(request))
        elif path in ("/healthz", "/readyz"):
            request.answer(200, b'{"status": "ok"}')
        elif path == "/metrics":
            request.answer(200, exposition(self._ledger, self._log, self._refused).encode(), TEXT)
        else:
            request.refuse(404, f"no such path: {method.decode()} {path}", "see /metrics, /v1/windows/…")

    def _ask(self, request: Request, path: str) -> None:
        self._commit.flush()
        request.answer(200, msgspec.json.encode(QUESTIONS[path](self._ledger, request.query)))

    def _probed(self, request: Request, nonce: str) -> None:
        self._probes.count(nonce, request.headers.get(b"x-request-id", b"").decode("latin-1"))
        request.answer(204, b"", TEXT)

    def _count(self, request: Request) -> None:
        request.answer(200, msgspec.json.encode(self._probes.counted(request.query.get("nonce", ""))))

    def _events(self, request: Request) -> None:
        body = structured(request.headers, request.body)
        decoded = decode_batch(body)
        events = [event for event in decoded if not isinstance(event, EventRefused)]
        reasons = [(index, one) for index, one in enumerate(decoded) if isinstance(one, EventRefused)]
        if reasons:
            self._refused["event"] += len(reasons)
            if not events:
                request.answer(
                    400, msgspec.json.encode({"error": "no event was taken", **told(0, 0, reasons)})
                )
                return
            raws = split_batch(body)
            bad = {index for index, _ in reasons}
            body = b"[" + b",".join(raw for index, raw in enumerate(raws) if index not in bad) + b"]"
        if not events:
            request.answer(202, msgspec.json.encode(told(0, 0, [])))
            return

        def written() -> None:
            fresh = sum(map(self._ledger.take, events))
            request.answer(202, msgspec.json.encode(told(fresh, len(events) - fresh, reasons)))

        self._write(request, Record(Kind.EVENTS, body), max(event.time_us for event in events), written)

    def _labels(self, request: Request) -> None:
        labels = decode_labels(request.body)

        def written() -> None:
            self._ledger.label(labels)
            request.answer(202, msgspec.json.encode({"accepted": len(labels)}))

        newest_us = max((label.known_us for label in labels), default=-1)
        self._write(request, Record(Kind.LABELS, request.body), newest_us, written)

    def _revision(self, request: Request, name: str) -> None:
        if len(name) > 1024:
            raise InputRefused("revision: longer than 1024")
        self._commit.flush()
        held = self._ledger.revisions.get(name)
        if held is not None and held.model is not None:
            if held.profile_bytes == request.body:
                request.answer(200, b'{"revision": "known"}')
            else:
                request.refuse(
                    409, f"revision: '{name}' holds another profile", "a changed model is a new revision"
                )
            return
        try:
            model = Model.of(request.body)
        except DataRefused as error:
            raise InputRefused(f"profile: {error.message}", remedy=error.remedy) from error

        def written() -> None:
            self._ledger.observe(name, model, request.body)
            request.answer(201, b'{"revision": "observed"}')

        self._write(request, revision_record(name, request.body), -1, written)

    def _write(self, request: Request, record: Record, newest_us: int, written: Callable[[], None]) -> None:
        def done(refusal: LogRefused | None) -> None:
            if refusal is None:
                self._guard(request, written)
            else:
                self._refused["disk"] += 1
                request.refuse(507 if refusal.full else 503, refusal.message, refusal.remedy)

        self._commit.submit(Entry((record,), newest_us, done))


def allow(request: Request, method: bytes, act: Callable[[], None]) -> None:
    if request.method == method:
        act()
    else:
        request.refuse(405, f"{request.path}: {request.method.decode()} is not allowed, {method.decode()} is")


def told(fresh: int, duplicates: int, reasons: Sequence[tuple[int, EventRefused]]) -> dict[str, Any]:
    refused = [{"index": index, "because": one.message} for index, one in reasons[:MOST_REASONS_TOLD]]
    return {"accepted": fresh, "duplicates": duplicates, "refused": refused}

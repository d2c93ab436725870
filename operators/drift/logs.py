"""Logs: one JSON object a line on standard error, each with the resource and the look that it belongs to."""

import json
import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_LOOK: ContextVar[dict[str, Any]] = ContextVar("look", default={})  # noqa: B039  # never changed in place
_KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """time, level, logger, message; then what the look is about; then what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_LOOK.get(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _KNOWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


@contextmanager
def about(kind: str, namespace: str, name: str) -> Iterator[str]:
    """Mark every line that is logged inside, in this thread or task, with the resource and a new reconcile id."""
    look = f"{random.getrandbits(48):012x}"  # an id, no secret
    token = _LOOK.set({"kind": kind, "namespace": namespace, "name": name, "reconcile": look})
    try:
        yield look
    finally:
        _LOOK.reset(token)


def also(**fields: object) -> None:
    """More that is known of the look by now, such as the generation."""
    _LOOK.set({**_LOOK.get(), **fields})


def to_json(level: str, stream: TextIO | None = None) -> None:
    """Log JSON lines from this level on; libraries only what is worth a warning."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    for ours in ("operators", "trimtab"):
        logging.getLogger(ours).setLevel(level.upper())

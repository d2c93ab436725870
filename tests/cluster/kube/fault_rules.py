"""Which calls a fault proxy harms, and what it remembers of each call."""

import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Recorded:
    """One call that came in.

    Attributes:
        at: on time.monotonic.
        status: what the caller was told, or of a held call what the API server said; 0 for nothing.
        harmed: whether a rule or an outage was in its way.
        forwarded: when it was sent on to the API server; None for never.
    """

    method: str
    path: str
    query: str
    user: str
    at: float
    status: int = 0
    harmed: bool = False
    forwarded: float | None = None


@dataclass(slots=True)
class Held:
    """Calls that were taken in and wait; what their callers do meanwhile does not matter."""

    arrived: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)
    _answered: "Future[int]" = field(default_factory=Future)

    def wait(self, within_s: float = 120.0) -> None:
        """Until one has arrived."""
        assert self.arrived.wait(within_s), f"no such call within {within_s:g} s"

    def release(self, within_s: float = 120.0) -> int:
        """Send it on now, as late as it is; the API server's status."""
        self._go.set()
        return self._answered.result(within_s)


Harm = Callable[[web.BaseRequest, Recorded], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Which:
    """The calls whose method is this, and whose path with query has this in it: regular expressions."""

    method: str
    path: str

    def fits(self, call: Recorded) -> bool:
        whole = f"{call.path}?{call.query}" if call.query else call.path
        return bool(re.fullmatch(self.method, call.method) and re.search(self.path, whole))


@dataclass(slots=True)
class Rule:
    """Harm for some calls, until it is used up or lifted."""

    which: Which
    harm: Harm
    left: float

    def fits(self, call: Recorded) -> bool:
        return self.left > 0 and self.which.fits(call)

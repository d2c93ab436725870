"""A constant open-loop load on one address: requests leave by the clock, whether or not earlier ones were answered.

    python load.py URL --rate 300 --seconds 60 --bodies FILE [--host NAME] [--concurrency 1000] [--revision REGEX]

FILE is a JSON list of request bodies, sent in turn; none is a GET. REGEX finds who answered, in its first group;
default the V2 protocol's model_version, or the header X-Revision. Every request carries an X-Request-Id of its
own. Each second prints a line of JSON {"second", "sent", "failed", "revisions"}; the end prints one with the
summary. It ends after `--seconds`, or on SIGTERM, once what is under way is answered.

A failure is anything but a 200: a refused or broken connection, an answer that takes longer than 10 s, a
request that found all connections busy. Latency is counted from the instant at which a request was due, so that
a stalled server shows (Tene's coordinated omission).
"""

import argparse
import asyncio
import json
import re
import signal
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
KEPT_FAILURES = 200
REVISION = re.compile(rb'"model_version":\s*"([^"]+)"|^x-revision: *(\S+)', re.IGNORECASE | re.MULTILINE)
LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """What came back so far."""

    sent: int = 0
    failed: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    revisions: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)

    def fail(self, at_s: float, request: str, why: str) -> None:
        self.failed += 1
        if len(self.failures) < KEPT_FAILURES:
            self.failures.append({"at_s": round(at_s, 3), "request": request, "why": why})

    def summary(self, elapsed_s: float) -> dict[str, Any]:
        ordered = sorted(self.latencies_s)
        at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        places = {name: min(int(len(ordered) * share), len(ordered) - 1) for name, share in at.items()}
        return {
            "sent": self.sent,
            "failed": self.failed,
            "failures": self.failures,
            "revisions": dict(self.revisions),
            "elapsed_s": round(elapsed_s, 3),
            "cpu_s": round(time.process_time(), 3),
            "latency_ms": {name: round(ordered[i] * 1000, 3) for name, i in places.items() if ordered},
        }


class Load:
    """Sends bodies in turn over as many kept connections as are needed at once."""

    def __init__(
        self,
        url: str,
        host: str | None,
        bodies: list[bytes],
        concurrency: int,
        revision: re.Pattern[bytes] = REVISION,
    ) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "", parts.port or 80)
        self.path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        self.host = host or parts.netloc
        self.bodies = bodies
        self.concurrency = concurrency
        self.revision = revision
        self.seen = Seen()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._busy = 0
        self._stop = asyncio.Event()

    async def run(self, rate: float, seconds: float) -> dict[str, Any]:
        """Send until the time is over; the summary."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        started = time.monotonic()
        telling = asyncio.create_task(self._tell(started))
        under_way: set[asyncio.Task[None]] = set()
        number = 0
        while not self._stop.is_set() and number < rate * seconds:
            due = started + number / rate
            while not self._stop.is_set() and (ahead := due - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(self._send(number, due, started))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
        await asyncio.gather(*under_way)
        telling.cancel()
        for _, writer in self._idle:
            writer.close()
        return self.seen.summary(time.monotonic() - started)

    async def _send(self, number: int, due: float, started: float) -> None:
        request, seen = str(uuid.uuid4()), self.seen
        seen.sent += 1
        if self._busy >= self.concurrency:
            seen.fail(due - started, request, f"all {self.concurrency} connections were busy")
            return
        self._busy += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, answer = await self._exchange(number, request)
        except (OSError, EOFError, TimeoutError) as error:
            seen.fail(due - started, request, f"{type(error).__name__}: {error}")
            return
        finally:
            self._busy -= 1
        if status != 200:
            seen.fail(due - started, request, f"{status}: {answer[-200:].decode(errors='replace')}")
            return
        found = self.revision.search(answer)
        name = next((group for group in found.groups() if group), b"") if found else b""
        seen.revisions[name.decode()] += 1
        seen.latencies_s.append(time.monotonic() - due)

    async def _exchange(self, number: int, request: str) -> tuple[int, bytes]:
        """One request and its answer (head and body) on a connection that nobody else uses."""
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(self._request(number, request))
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            if length:
                body = await reader.readexactly(int(length[1]))
            else:
                body = await _chunks(reader)
        except BaseException:
            writer.transport.abort()
            raise
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1]), head + body

    def _request(self, number: int, request: str) -> bytes:
        common = f"{self.path} HTTP/1.1\r\nHost: {self.host}\r\nX-Request-Id: {request}\r\n"
        if not self.bodies:
            return f"GET {common}\r\n".encode()
        body = self.bodies[number % len(self.bodies)]
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"POST {common}{kind}".encode() + body

    async def _tell(self, started: float) -> None:
        """Once a second, what that second brought."""
        second, sent, failed, revisions = 0, 0, 0, Counter[str]()
        while True:
            second += 1
            await asyncio.sleep(max(0.0, started + second - time.monotonic()))
            seen = self.seen
            line = {
                "second": second,
                "sent": seen.sent - sent,
                "failed": seen.failed - failed,
                "revisions": dict(seen.revisions - revisions),
            }
            sent, failed, revisions = seen.sent, seen.failed, seen.revisions.copy()
            say(line)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--host")
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--bodies", type=Path)
    parser.add_argument("--concurrency", type=int, default=1000)
    parser.add_argument("--revision")
    given = parser.parse_args()
    bodies = (
        [json.dumps(body).encode() for body in json.loads(given.bodies.read_text())] if given.bodies else []
    )

    async def run() -> dict[str, Any]:
        pattern = re.compile(given.revision.encode(), re.MULTILINE) if given.revision else REVISION
        load = Load(given.url, given.host, bodies, given.concurrency, pattern)
        return await load.run(given.rate, given.seconds)

    say(asyncio.run(run()))


if __name__ == "__main__":
    main()

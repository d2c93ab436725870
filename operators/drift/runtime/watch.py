"""What happens to a kind's objects, told as it happens."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Literal

import aiohttp
import msgspec

from operators.drift.runtime.calls import LOST, Calls, refusal, words
from operators.drift.runtime.errors import Unavailable, from_status
from operators.drift.runtime.request import Request
from operators.drift.runtime.resource import Object
from operators.drift.runtime.stream import lines

QUIET_S: Final = 90.0
"""An API server sends a bookmark a minute; a watch without a byte for longer is dead."""

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch tells. A bookmark's object has nothing but a resourceVersion."""

    type: EventType
    object: Object


async def watching(calls: Calls, request: Request, quiet_s: float) -> AsyncGenerator[Event, None]:
    """Each event of one watch, until the API server ends it.

    Raises:
        Expired: what it was to begin at is too old.
        Unavailable: cut off, or silent for `quiet_s`.
    """
    connect_s, started = calls.session.timeout_s, time.monotonic()
    limits = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=quiet_s)
    try:
        async with asyncio.timeout(connect_s):
            response = await calls.session.send(request, limits)
        async with response:
            calls.ended(request, response.status, started)
            if response.status != 200:
                raise refusal(response, await response.read())
            async for line in lines(response.content):
                yield _event(line)
    except LOST as error:
        raise Unavailable(f"watch of {request.resource}: {words(error)}") from error


def _event(line: bytes) -> Event:
    told = msgspec.json.decode(line)
    if told["type"] == "ERROR":
        status = told["object"]
        raise from_status(int(status.get("code") or 500), status)
    return Event(told["type"], told["object"])

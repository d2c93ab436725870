"""Calls that end in time, are told of, and fail with a type."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from operators.drift.runtime.errors import ApiError, Unavailable, from_status
from operators.drift.runtime.fenced import Fence
from operators.drift.runtime.request import Request, Verb
from operators.drift.runtime.resource import Resource
from operators.drift.runtime.session import Session

LOST = (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError)
"""What is raised where no answer comes, or none that can be read."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as RBAC and a metric see it.

    Attributes:
        resource: None for a path that is no object's, such as /version.
        status: of HTTP; 0 when no answer came.
        user: who was impersonated.
    """

    verb: Verb
    resource: Resource | None
    subresource: str
    namespace: str
    status: int
    seconds: float
    user: str


class Calls:
    """Requests and their answers over one session.

    Args:
        on_call: told of each call that ended, and of each watch that was answered.
        on_warning: told what the API server warns of (RFC 7234 299), such as a deprecated version.
    """

    def __init__(
        self, session: Session, on_call: Callable[[Call], None], on_warning: Callable[[str], None]
    ) -> None:
        self.session = session
        self._on_call, self._on_warning = on_call, on_warning
        self._outage: list[Callable[[], None]] = []

    def on_outage(self, callback: Callable[[], None]) -> None:
        """Have `callback` told when a call got no answer."""
        self._outage.append(callback)

    def unanswered(self) -> None:
        """Tell them."""
        for told in self._outage:
            told()

    def ended(self, request: Request, status: int, started: float) -> None:
        """Tell of it; `started` on the monotonic clock."""
        seconds = time.monotonic() - started
        self._on_call(
            Call(
                request.verb,
                request.resource,
                request.subresource,
                request.namespace,
                status,
                seconds,
                request.user,
            )
        )

    async def answer(self, request: Request, fence: Fence | None = None) -> Any:
        """The answer's body, within the session's timeout and, for a write behind a fence, the fence's time.

        Raises:
            ApiError: the API server says no, or there is no answer.
        """
        timeout_s = self.session.timeout_s
        limit_s = min(timeout_s, fence.remaining_s) if fence else timeout_s
        status, started = 0, time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                limits = aiohttp.ClientTimeout(total=None, sock_connect=limit_s)
                for rejected in (False, True):
                    response = await self.session.send(
                        request, limits, fence.check if fence else None, rejected=rejected
                    )
                    async with response:
                        status, body = response.status, await response.read()
                    if status != 401 or not await self.session.may_log_in_again():
                        break
            for text in response.headers.getall("Warning", ()):
                self._on_warning(text)
            if not 200 <= status < 300:
                raise refusal(response, body)
            return msgspec.json.decode(body)
        except LOST as error:
            never_left = isinstance(error, aiohttp.ClientConnectorError)
            self.unanswered()
            raise Unavailable(
                f"{request.method} {request.path}: {words(error)}",
                maybe_sent=request.method != "GET" and not never_left,
            ) from error
        finally:
            self.ended(request, status, started)


def refusal(response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    """What an answer beyond 2xx says."""
    retry_after = response.headers.get("Retry-After", "")
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:  # "404 page not found" of a path nobody serves, or a proxy's page
        status = {"message": body.decode(errors="replace").strip()[:200]}
    if not isinstance(status, Mapping):
        status = {}
    return from_status(response.status, status, float(retry_after) if retry_after.isdigit() else None)


def words(error: BaseException) -> str:
    """Why no answer came."""
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__

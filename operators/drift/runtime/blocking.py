"""A call of the event loop's, waited for in another thread: handlers run in threads."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from operators.drift.runtime.errors import Unavailable

T = TypeVar("T")


def waited(call: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, timeout_s: float) -> T:
    """What the call gives.

    Args:
        timeout_s: longer than the call's own, for a loop that is too busy to answer.

    Raises:
        Unavailable: the loop has ended, or gives no answer in time.
        RuntimeError: this is the loop's own thread, which would wait for itself.
    """
    if loop is _running():
        call.close()
        raise RuntimeError("a blocking call on the event loop's own thread would wait for itself")
    if loop.is_closed():
        call.close()
        raise Unavailable("the event loop has ended: nothing was sent")
    future = asyncio.run_coroutine_threadsafe(call, loop)
    try:
        return future.result(timeout_s)
    except TimeoutError as error:
        future.cancel()
        raise Unavailable(
            f"the event loop gave no answer within {timeout_s:.0f} s", maybe_sent=True
        ) from error


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

"""Wait for something to become true, with a deadline instead of a sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.cluster.kube.errors import ClusterToolFailed

T = TypeVar("T")

EVERY_S = 0.05


def eventually(
    what: str, probe: Callable[[], T | None], within_s: float = 120.0, every_s: float = EVERY_S
) -> T:
    """The first answer of `probe` that is true.

    Raises ClusterToolFailed when `within_s` is over; what `probe` raises is passed on.
    """
    deadline = time.monotonic() + within_s
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise ClusterToolFailed(f"{what}: not within {within_s:g} s; last seen: {answer!r}")
        time.sleep(every_s)

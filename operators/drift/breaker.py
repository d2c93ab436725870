"""Servers that hang: what they cost is one timeout a while, not one for each look.

A server that refuses costs nothing, and is asked each time. One that takes a call and never answers would hold a worker
for the whole timeout, at each look of each resource that names it. So after such a call nobody asks for a while; then
one does, while the others are told at once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from trimtab.api.errors import SurroundingsFailed

HANGS_S: Final = 2.0
"""A call that failed after longer was not refused: it hung."""
FIRST_PAUSE_S: Final = 10.0
LAST_PAUSE_S: Final = 40.0
"""All goes on within a minute after a server is well again: this, one timeout, and the resource's own next look."""


class ServerHangs(SurroundingsFailed):
    """A server takes calls and does not answer them. Says the same each time, so that a status stays as it is."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"{who} hangs: it takes calls and does not answer; it is asked again every {LAST_PAUSE_S:g} s",
            remedy="see that it runs, and what it waits for",
        )


class Breaker:
    """Lets calls to one server through, or not. For any number of threads.

    Args:
        who: the server, for messages.
        told: whenever it begins or ends to hang.
    """

    def __init__(
        self,
        who: str,
        told: Callable[[bool], None] = lambda hangs: None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._who, self._told, self._clock_s = who, told, clock_s
        self._lock = threading.Lock()
        self._pause_s, self._until_s, self._trying = 0.0, 0.0, False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around one call, which fails with SurroundingsFailed where there is no answer.

        Raises:
            ServerHangs: the call is not made, or hung itself.
        """
        tries = self._enter()
        began_s = self._clock_s()
        try:
            yield
        except SurroundingsFailed as error:
            if self._clock_s() - began_s < HANGS_S:
                self._answered(tries)
                raise
            self._hung(tries)
            raise ServerHangs(self._who) from error
        except BaseException:
            self._answered(tries)
            raise
        self._answered(tries)

    def _enter(self) -> bool:
        """Whether this call tries a server that hung."""
        with self._lock:
            if not self._pause_s:
                return False
            if self._trying or self._clock_s() < self._until_s:
                raise ServerHangs(self._who)
            self._trying = True
            return True

    def _hung(self, tried: bool) -> None:
        with self._lock:
            first = not self._pause_s
            if first or tried:  # those that were under way when it began to hang count once
                self._pause_s = min(LAST_PAUSE_S, 2 * self._pause_s) or FIRST_PAUSE_S
                self._until_s = self._clock_s() + self._pause_s
            self._trying = self._trying and not tried
        if first:
            self._told(True)

    def _answered(self, tried: bool) -> None:
        with self._lock:
            if self._pause_s and not tried:
                return  # sent before it began to hang: says nothing of now
            ended, self._pause_s = bool(self._pause_s), 0.0
            self._trying = False
        if ended:
            self._told(False)


class Breakers:
    """One for each server, by its kind and name.

    Args:
        told: (kind, name, whether it hangs).
    """

    def __init__(self, told: Callable[[str, str, bool], None] = lambda kind, name, hangs: None) -> None:
        self._told, self._lock = told, threading.Lock()
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, kind: str, name: str) -> Breaker:
        with self._lock:
            if (kind, name) not in self._breakers:
                who = f"{kind} '{name}'"
                self._breakers[kind, name] = Breaker(who, lambda hangs: self._told(kind, name, hangs))
            return self._breakers[kind, name]

"""A process that dies at a write."""

from collections.abc import Callable
from dataclasses import dataclass


class Killed(BaseException):
    """The process died here."""


@dataclass
class Kill:
    """Die before, or after, the n-th write."""

    at: int = -1
    after: bool = False
    writes: int = 0

    def guard(self, write: Callable[[], object]) -> object:
        number, self.writes = self.writes, self.writes + 1
        if number == self.at and not self.after:
            raise Killed
        result = write()
        if number == self.at and self.after:
            raise Killed
        return result

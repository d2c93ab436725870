"""Which versions of an object followed one another by our own writes alone.

A status is decided on one version; that a note was written on the same object in between, by ourselves and on that very
version, is no reason to decide anew. A write of anybody else breaks the line.
"""

from typing import Final

KEPT: Final = 32


class Lineage:
    """Of one object, in one process."""

    def __init__(self) -> None:
        self._next: dict[str, str] = {}

    def wrote(self, before: str, after: str) -> None:
        """We wrote on version `before`, and `after` came of it."""
        if before != after:
            self._next[before] = after
            while len(self._next) > KEPT:
                del self._next[next(iter(self._next))]

    def newest(self, version: str) -> str:
        """The version that our own writes alone made of it.

        >>> line = Lineage()
        >>> line.wrote("1", "2"), line.wrote("2", "5"), line.newest("1"), line.newest("7")
        (None, None, '5', '7')
        """
        while version in self._next:
            version = self._next[version]
        return version

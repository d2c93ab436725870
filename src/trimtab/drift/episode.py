"""From windows to episodes: k tripped windows of the last n open one. With a new reference a new watch begins.

Windows are disjoint: one that begins before the last one ended is refused, since overlapping windows trip
together. A window of which nothing can be said is neither counted nor forgets the ones before it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from trimtab.drift.settings import Trip


class WindowsOverlap(ValueError):
    """A window begins before the last one ended."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the windows so far amount to.

    Attributes:
        recent: whether each of the latest known windows tripped, newest last; as many as `trip.of` at most.
        through: end of the latest window, known or not.
        opened_at: end of the window that opened the episode; None while none is open.
    """

    recent: tuple[bool, ...] = ()
    through: datetime | None = None
    opened_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.opened_at is not None

    def seen(self, start: datetime, end: datetime, tripped: bool | None, trip: Trip) -> "Watch":
        """The watch after one more window.

        Raises:
            WindowsOverlap: it begins before `through`.
        """
        if self.through is not None and start < self.through:
            raise WindowsOverlap(
                f"a window from {start} begins before {self.through}, where the last one ended"
            )
        if tripped is None:
            return replace(self, through=end)
        recent = (*self.recent, tripped)[-trip.of :]
        opens = not self.open and sum(recent) >= trip.windows
        return Watch(recent, end, end if opens else self.opened_at)

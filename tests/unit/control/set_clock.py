"""A clock that somebody may set."""

from datetime import datetime, timedelta

from trimtab.adapters.clock import ReplayClock


class SetClock(ReplayClock):
    """Its monotonic time goes on whatever is done to it.

    Attributes:
        farthest: the latest time that it ever showed: no request bears a later one.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.farthest = start

    def by(self, length: timedelta) -> None:
        super().by(length)
        self.farthest = max(self.farthest, self._now)

    def jump(self, length: timedelta) -> None:
        """Somebody sets it."""
        self._now += length
        self._start += length

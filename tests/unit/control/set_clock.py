"""A clock that somebody may set."""

from datetime import timedelta

from trimtab.adapters.clock import ReplayClock


class SetClock(ReplayClock):
    """Its monotonic time goes on whatever is done to it."""

    def jump(self, length: timedelta) -> None:
        """Somebody sets it."""
        self._now += length
        self._start += length

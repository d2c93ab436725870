"""For how long the gateway has found no endpoint of the candidate, though it finds some of stable's."""

from collections.abc import Set


class Unreached:
    """A timer that a look at which the candidate is found, or stable is missing too, sets back."""

    def __init__(self) -> None:
        self._candidate = ""
        self._since: float | None = None

    def look(self, stable: str, candidate: str, empty: Set[str], monotonic_s: float) -> float:
        """Seconds until now.

        Args:
            empty: revisions on the route of which the gateway finds no endpoint.
        """
        if candidate not in empty or stable in empty:
            self._since = None
            return 0.0
        if self._since is None or self._candidate != candidate:
            self._candidate, self._since = candidate, monotonic_s
        return monotonic_s - self._since

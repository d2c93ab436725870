"""How long gateways have had to do as they accepted."""

from collections.abc import Callable, Sequence

from trimtab.adapters.gateway_api.standing import Standing
from trimtab.ports.cluster import Object


class Settling:
    """
    Args:
        standing: what gateways say of a route.
        settle_s: how long one may take.
        clock_s: monotonic.
    """

    def __init__(
        self, standing: Callable[[Object], Standing], settle_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._standing, self._settle_s, self._clock_s = standing, settle_s, clock_s
        self._accepted: dict[str, tuple[str, int, float]] = {}
        self._left_s: float | None = None

    @property
    def left(self) -> bool:
        """Whether a route was taken away."""
        return self._left_s is not None

    def leave(self) -> None:
        """A route was taken away: that takes as long."""
        self._left_s = self._clock_s()

    def all_settled(self, routes: Sequence[Object]) -> bool:
        """Whether gateways do as all of these say, and no more as one that was taken away."""
        if self._left_s is not None and self._clock_s() - self._left_s < self._settle_s:
            return False
        settled = [self._settled(one) for one in routes]
        return all(settled)

    def _settled(self, held: Object) -> bool:
        """Whether it has been accepted, as it is, for as long as a gateway may take."""
        if self._standing(held).accepted is not True:
            return False
        key, name = _version(held), held["metadata"]["name"]
        known = self._accepted.get(name)
        if known is None or known[:2] != key:
            known = self._accepted[name] = (*key, self._clock_s())
        return self._clock_s() - known[2] >= self._settle_s


def _version(held: Object) -> tuple[str, int]:
    """(uid, generation): the same spec of the same object."""
    return str(held["metadata"].get("uid", "")), int(held["metadata"].get("generation", 0))

"""Marked requests by which a gateway shows whether it copies what it routes: counted in memory, a few and for a while.

A path is known by nobody but the one who asks; what is counted is of no use to anybody else.
"""

from collections import Counter, OrderedDict
from typing import Final

PATH: Final = "/trimtab-probe/"
MOST_NONCES: Final = 64
MOST_IDS: Final = 256
MOST_LENGTH: Final = 128


class Probes:
    """Requests by nonce, and by X-Request-Id within one.

    >>> probes = Probes()
    >>> for name in ("a", "a", "b", ""):
    ...     probes.count("n", name)
    >>> probes.counted("n")
    {'requests': 4, 'ids': 2, 'pairs': 1}
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, Counter[str]] = OrderedDict()

    def count(self, nonce: str, request_id: str) -> None:
        """One request came. The nonce that was silent longest is forgotten for a new one."""
        held = self._held.setdefault(nonce[:MOST_LENGTH], Counter())
        self._held.move_to_end(nonce[:MOST_LENGTH])
        if len(self._held) > MOST_NONCES:
            self._held.popitem(last=False)
        name = request_id[:MOST_LENGTH]
        if name in held or len(held) < MOST_IDS:
            held[name] += 1

    def counted(self, nonce: str) -> dict[str, int]:
        """`pairs`: ids that came exactly twice; a request without an id has none."""
        held = self._held.get(nonce[:MOST_LENGTH], Counter())
        named = [times for name, times in held.items() if name]
        return {"requests": held.total(), "ids": len(named), "pairs": named.count(2)}

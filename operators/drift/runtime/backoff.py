"""How long to wait after the n-th failure in a row: exponential, with jitter, never beyond the cap."""

from collections.abc import Callable
from dataclasses import dataclass
from random import random


@dataclass(frozen=True, slots=True)
class Backoff:
    """base · 2ⁿ up to the cap, of which a random share between a half and all is waited ("equal jitter", Brooker 2015).

    >>> [Backoff(base_s=0.5, cap_s=3, draw=lambda: 1.0).after(failures) for failures in (1, 2, 3, 4, 999)]
    [0.5, 1.0, 2.0, 3.0, 3.0]
    """

    base_s: float
    cap_s: float
    draw: Callable[[], float] = random

    def after(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (≥ 1)."""
        whole: float = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 64))
        return whole * (0.5 + self.draw() / 2)

"""The fixed geometric grid on which durations are counted: ratio 1.02 between upper edges, 0.1 ms to 100 s.

A duration is placed with an error of at most 2 %, whatever the revision, so counts of two revisions compare
bucket by bucket and add up exactly.
"""

import math
from typing import Final

RATIO: Final = 1.02
LOWEST_MS: Final = 0.1
BUCKETS: Final = 1 + math.ceil(math.log(100_000 / LOWEST_MS) / math.log(RATIO))
EDGES_MS: Final = tuple(LOWEST_MS * RATIO**step for step in range(BUCKETS))
_SCALE: Final = 1 / math.log(RATIO)


def bucket(duration_ms: float) -> int:
    """Number of the bucket whose upper edge is the first at or above the duration; the last takes the rest.

    >>> EDGES_MS[bucket(10.0) - 1] < 10.0 <= EDGES_MS[bucket(10.0)]
    True
    >>> bucket(0.0), bucket(1e9) == BUCKETS - 1
    (0, True)
    """
    if duration_ms <= LOWEST_MS:
        return 0
    near = min(BUCKETS - 1, math.ceil(math.log(duration_ms / LOWEST_MS) * _SCALE))
    if EDGES_MS[near - 1] >= duration_ms:
        return near - 1
    return near + 1 if near < BUCKETS - 1 and EDGES_MS[near] < duration_ms else near

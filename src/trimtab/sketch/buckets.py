"""A float's bucket: the top bits of its float32 image, in the order of the numbers.

The top 16 bits of a float32 are bfloat16: one sign, eight exponent and seven mantissa bits, so a bucket is
at most 1/128 of its distance from zero wide; 18 bits give 1/512. IEEE 754 floats of one sign sort as their
bit patterns do; flipping the magnitude bits of the negative ones sorts them all.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LARGEST: Final = float(np.float32(3.0e38))


def buckets(scaled: NDArray[np.float64], bits: int) -> NDArray[np.int32]:
    """Bucket of each finite number, in [0, 2**bits), monotone in the number.

    Args:
        scaled: shape (rows,), not NaN; magnitudes past 3e38 count as 3e38.
        bits: 16 or 18.
    """
    image = np.clip(scaled, -LARGEST, LARGEST).astype(np.float32)
    image += np.float32(0.0)  # -0.0 becomes 0.0
    top = image.view(np.int32) >> (32 - bits)
    half = 1 << (bits - 1)
    top ^= (top >> 31) & np.int32(half - 1)
    top += np.int32(half)
    return top


def lower_edges(bucket: NDArray[np.integer[Any]], bits: int) -> NDArray[np.float64]:
    """The least number of each bucket, shape (buckets,); `bucket` may be 2**bits - 1 at most.

    A bucket holds [lower, next bucket's lower); below zero the float32 pattern that ends the bucket is the
    one nearest to zero, so the edge is that of the next pattern down.
    """
    half = 1 << (bits - 1)
    signed = np.asarray(bucket, np.int64) - half
    drop = 32 - bits
    ones = (1 << drop) - 1
    pattern = np.where(signed >= 0, signed << drop, ((signed ^ (half - 1)) << drop) | ones)
    pattern32 = (pattern & 0xFFFFFFFF).astype(np.uint32)
    edges = pattern32.view(np.float32).astype(np.float64)
    return np.where(np.isfinite(edges), edges, np.sign(edges) * LARGEST)

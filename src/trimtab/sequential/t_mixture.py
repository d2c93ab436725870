"""The t-mixture: an e-process and a confidence sequence for a mean over blocks of rows.

Rows of one day resemble each other, so the unit of evidence is the block. Block k holds R_k rows whose
differences sum to D_k. For a supposed mean μ a row, z_k = D_k − μR_k, S = Σz, Q = Σz² over n blocks:

    log E(μ) = −½ log(1 + cn) + (n/2) [log Q − log(Q − cS²/(1 + cn))]

It is the mixture of t-likelihood ratios over a Gaussian effect size of variance c (Wang & Ramdas 2023; Lai
1976) and does not change with the scale of z: the mean block size cancels. One side is claimed where log E ≥
log(1/2α). The bounds are the roots in μ of that equation, a quadratic (Fieller's, where block sizes differ).
With blocks of one size they are z̄ ± sqrt((V/n)(T − 1)(1 + cn)/(1 + cn − T)), T = (1 + cn)^(1/n) (2α)^(−2/n),
V = Σ(z − z̄)².

Exact for independent Gaussian blocks; else the size is measured (docs/verdicts.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, log, log1p, sqrt

from trimtab.sequential.verdict import Bounds

EFFECT_VARIANCE = 0.25


@dataclass(frozen=True, slots=True)
class Blocks:
    """Sums over closed blocks: all that the test needs, additive over steps and processes.

    Attributes:
        n: blocks with at least one row.
        rows: Σ R_k.
        total: Σ D_k.
        rows_sq, total_sq, cross: Σ R_k², Σ D_k², Σ D_k R_k.
    """

    n: int = 0
    rows: float = 0.0
    total: float = 0.0
    rows_sq: float = 0.0
    total_sq: float = 0.0
    cross: float = 0.0

    @classmethod
    def of(cls, blocks: Iterable[tuple[float, float]]) -> Blocks:
        """From (Σ differences, rows) of each block.

        >>> Blocks.of([(2.0, 10), (4.0, 10)]).mean
        0.3
        """
        sums = cls()
        for total, rows in blocks:
            sums = sums.add(total, rows)
        return sums

    def add(self, total: float, rows: float) -> Blocks:
        """One more closed block; one without rows changes nothing."""
        if rows <= 0:
            return self
        return self + Blocks(1, rows, total, rows * rows, total * total, total * rows)

    def __add__(self, other: Blocks) -> Blocks:
        return Blocks(
            self.n + other.n,
            self.rows + other.rows,
            self.total + other.total,
            self.rows_sq + other.rows_sq,
            self.total_sq + other.total_sq,
            self.cross + other.cross,
        )

    @property
    def mean(self) -> float:
        """Mean difference a row; NaN before the first block."""
        return self.total / self.rows if self.rows else float("nan")

    def score(self, mean: float) -> tuple[float, float]:
        """S and Q of the block scores z_k = D_k − mean · R_k."""
        s = self.total - mean * self.rows
        q = self.total_sq - 2 * mean * self.cross + mean * mean * self.rows_sq
        return s, max(q, s * s / self.n if self.n else 0.0)


def log_e(blocks: Blocks, mean: float, c: float = EFFECT_VARIANCE) -> float:
    """Natural log of the e-value against "the true mean is `mean`"; 0.0 without evidence.

    >>> round(log_e(Blocks.of([(0.1, 1), (0.3, 1), (0.2, 1), (0.25, 1)]), mean=0.0), 3)
    0.835
    """
    s, q = blocks.score(mean)
    if blocks.n == 0 or q <= 0:
        return 0.0
    spread = 1 + c * blocks.n
    return -0.5 * log(spread) - blocks.n / 2 * log1p(-c * s * s / (spread * q))


def bounds(blocks: Blocks, alpha_lower: float, alpha_upper: float, c: float = EFFECT_VARIANCE) -> Bounds:
    """The confidence sequence of the mean a row, each side at its own alpha; infinite on too few blocks.

    >>> seven = Blocks.of([(d, 1.0) for d in (0.01, 0.02, -0.01, 0.0, 0.01, -0.02, 0.0)])
    >>> found = bounds(seven, 0.05, 0.05)
    >>> round(found.lower, 4), round(found.upper, 4)
    (-0.0304, 0.0332)
    """
    lower, _ = _roots(blocks, alpha_lower, c)
    _, upper = _roots(blocks, alpha_upper, c)
    return Bounds(lower, upper)


def least_blocks(alpha: float, c: float = EFFECT_VARIANCE) -> int:
    """First n with a finite bound, for blocks of equal size.

    >>> least_blocks(0.05), least_blocks(0.0167), least_blocks(0.01)
    (7, 8, 9)
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is a probability under 0.5 a side, not {alpha}")
    n = 1
    while _reach(n, alpha, c) >= 1 + c * n:
        n += 1
    return n


def _reach(n: int, alpha: float, c: float) -> float:
    """T: how much larger Q may be than Q − cS²/(1 + cn) before the e-value reaches 1/2α."""
    exponent = (log1p(c * n) - 2 * log(2 * alpha)) / n
    return inf if exponent > 700 else exp(exponent)


def _roots(blocks: Blocks, alpha: float, c: float) -> tuple[float, float]:
    """Where log E(μ) = log(1/2α): the roots of Q(μ) = a S(μ)², or the whole line where there are none."""
    if blocks.n == 0:
        return -inf, inf
    t = _reach(blocks.n, alpha, c)
    if t >= 1 + c * blocks.n:
        return -inf, inf
    a = t * c / ((1 + c * blocks.n) * (t - 1))
    square = blocks.rows_sq - a * blocks.rows**2
    if square >= 0:
        return -inf, inf
    # Around the mean m: Q = q₀ + 2g·h + rows_sq·h², S = −rows·h, with μ = m − h.
    mean = blocks.mean
    _, q = blocks.score(mean)
    slope = blocks.cross - mean * blocks.rows_sq
    root = sqrt(max(slope * slope - square * q, 0.0))
    return mean - (slope + root) / -square, mean - (slope - root) / -square

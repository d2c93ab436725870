"""How often intervals of metrics miss, and how often the search for slices reports what is not there.

    python benchmarks/judging_nulls.py [trials]

The world is made: rows of one day share part of what they are, errors are skewed, and no slice is worse than
another. The tables stand in docs/verdicts.md, "Judging a model".
"""

import sys

import numpy as np

from trimtab.quality import METRICS
from trimtab.quality.bootstrap import evidence_blocks, metric_interval
from trimtab.quality.slice_search import worst_slices

DAYS = (7, 14, 28)
ROWS_A_DAY = 40
SEARCHED = ((7, 0.5), (14, 0.0), (14, 0.5), (28, 1.0))


def coverage(days: int, trials: int) -> tuple[float, float]:
    """Share of intervals, by day and by row, that hold the mean of |error|, of errors half of whose variance a day
    shares.
    """
    metric, truth = METRICS["mean_absolute_error"], np.sqrt(2 * 2 / np.pi)
    rng, held = np.random.default_rng(9), np.zeros(2)
    day = np.repeat(np.arange(days), ROWS_A_DAY)
    for trial in range(trials):
        errors = rng.normal(0, 1, days)[day] + rng.normal(0, 1, len(day))
        for i, blocks in enumerate((day, evidence_blocks(None, "UTC", len(day), trial))):
            found = metric_interval(metric, np.zeros(len(day)), errors, blocks, trial)
            held[i] += found.lower <= truth <= found.upper
    return held[0] / trials, held[1] / trials


def false_reports(days: int, spread: float, trials: int) -> float:
    """Share of searches that report a slice; the log of a loss has a part that its day shares, of this deviation."""
    rng, reported = np.random.default_rng(1), 0
    for trial in range(trials):
        day = np.repeat(np.arange(days), 200)
        n = len(day)
        features = {
            "carrier": np.array(["AA", "B6", "EV", "UA", ""], dtype=object)[rng.integers(0, 5, n)],
            "distance": rng.exponential(500, n),
            "pressure": rng.normal(size=days)[day],
            "visib": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 3, n)),
            "dest": np.array([f"D{k}" for k in range(30)], dtype=object)[rng.integers(0, 30, n)],
        }
        losses = np.exp(rng.normal(0, 1, n) + rng.normal(0, spread, days)[day])
        reported += bool(worst_slices(features, losses, day, trial).slices)
    return reported / trials


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print("days | interval by day | by row")
    for days in DAYS:
        by_day, by_row = coverage(days, trials)
        print(f"{days} | {by_day:.3f} | {by_row:.3f}", flush=True)
    print("days | a day's part | searches that report")
    for days, spread in SEARCHED:
        print(f"{days} | {spread} | {false_reports(days, spread, trials * 2 // 5):.4f}", flush=True)


if __name__ == "__main__":
    main()

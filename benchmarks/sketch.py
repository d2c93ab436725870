"""Rows 2 and 3: what it costs to add values to a sketch, and one row of 25 features, beside other summaries.

One million float64 (a normal, with 1 % missing) to a grid learned from 200,000 others. KLL200 is datasketches'
`kll_floats_sketch`, fed with the whole array; ADWIN is river's, one a feature, one value at a time. Ours adds a
row 1,000 rows at a time, as the collector does, and, for comparison, one at a time. The error is that of the
Kolmogorov-Smirnov distance read off two sketches, beside the exact one.

    python benchmarks/sketch.py [--quick]
"""

import argparse
import hashlib

import numpy as np
from beside import isolated, seconds, table, times_over, versions

from trimtab.drift import compare
from trimtab.sketch import empty, learn_grid, merge

FEATURES = 25

KLL = """
import json, sys, time
import datasketches, numpy as np
from importlib.metadata import version
values = np.random.default_rng(7).normal(size=int(sys.argv[1])).astype("f4")
taken = []
for _ in range(5):
    sketch = datasketches.kll_floats_sketch(200)
    began = time.process_time(); sketch.update(values); taken.append(time.process_time() - began)
print(json.dumps({"s": min(taken), "version": version("datasketches")}))
"""
ADWIN = """
import json, sys, time
import numpy as np
from importlib.metadata import version
from river.drift import ADWIN
rows = np.random.default_rng(7).normal(size=(int(sys.argv[1]), 25)).tolist()
detectors = [ADWIN() for _ in range(25)]
taken = []
for part in range(0, len(rows), 300):
    began = time.process_time()
    for row in rows[part:part + 300]:
        for detector, value in zip(detectors, row):
            detector.update(value)
    taken.append((time.process_time() - began) / 300)
print(json.dumps({"s": sorted(taken)[len(taken) // 2], "version": version("river")}))
"""


def error_of_ks(draw: np.random.Generator, rows: int) -> float:
    """Largest absolute error of KS over shifts of a normal and of a log-normal, against the exact distance."""
    from scipy.stats import ks_2samp

    worst = 0.0
    for shift in (0.0, 0.1, 0.5, 2.0):
        for shape in (np.asarray, np.exp):
            before, after = shape(draw.normal(size=rows)), shape(draw.normal(shift, 1, rows))
            measured = compare({"x": before}, {"x": after}).verdict.columns[0].value
            worst = max(worst, abs(measured - ks_2samp(before, after).statistic))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    cells = 200_000 if quick else 1_000_000
    draw = np.random.default_rng(7)
    reference, values = draw.normal(size=200_000), draw.normal(size=cells)
    values[draw.random(cells) < 0.01] = np.nan
    grid = learn_grid("x", reference, "number")
    started = empty(grid)
    ours = seconds(lambda: started.add(values)) / cells * 1e9
    summed = seconds(lambda: np.sum(values)) / cells * 1e9
    ordered = seconds(lambda: np.sort(values)) / cells * 1e9
    kll = isolated(["datasketches", "numpy"], KLL, [str(cells)])
    kll_ns = kll["s"] / cells * 1e9 if kll else None
    rows = [
        ["np.sum", f"{summed:.2f}", times_over(summed, ours)],
        ["trimtab's sketch", f"{ours:.2f}", ""],
        ["np.sort", f"{ordered:.2f}", times_over(ordered, ours)],
        [f"KLL200, datasketches {kll['version'] if kll else ''}", f"{kll_ns:.1f}" if kll_ns else "not measured",
         times_over(kll_ns, ours)],
    ]  # fmt: skip
    print(table(["add to a summary", "ns a cell", "its cost over ours"], rows))
    print("\nTarget: KLL200 at least 20x, np.sum at least 0.5x.\n")

    thousand = draw.normal(size=(1000, FEATURES))
    columns = [np.ascontiguousarray(thousand[:, j]) for j in range(FEATURES)]
    held = [empty(grid).add(reference) for _ in range(FEATURES)]
    buffered = seconds(lambda: [s.add(c) for s, c in zip(held, columns, strict=True)]) / 1000 * 1e6
    single = seconds(lambda: [s.add(c[:1]) for s, c in zip(held, columns, strict=True)]) * 1e6
    adwin = isolated(["river", "numpy"], ADWIN, ["1500" if quick else "6000"])
    adwin_us = adwin["s"] * 1e6 if adwin else None
    rows = [
        ["trimtab, 1,000 rows at a time", f"{buffered:.1f}", ""],
        ["trimtab, each row by itself", f"{single:.1f}", times_over(single, buffered)],
        [f"ADWIN, river {adwin['version'] if adwin else ''}", f"{adwin_us:.0f}" if adwin_us else "not measured",
         times_over(adwin_us, buffered)],
    ]  # fmt: skip
    print(table([f"one row of {FEATURES} features", "µs", "its cost over ours"], rows))
    print("\nTarget: ADWIN at least 5x.\n")

    half = cells // 2
    merged = merge([started.add(values[:half]), started.add(values[half:])])
    size = len(merged.to_bytes())
    print(f"Serialised {size / 1024:.1f} KiB; largest error of KS, {cells:,} rows, shifts 0 to 2 sd: "
          f"{error_of_ks(draw, cells):.5f} (target 0.002).\n")  # fmt: skip
    print(
        f"{versions('numpy', 'numba', 'scipy')}; values {hashlib.sha256(values.tobytes()).hexdigest()[:12]}"
    )


if __name__ == "__main__":
    main()

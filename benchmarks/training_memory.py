"""Memory against the table's size: the train step on features tables of 1, 4 and 16 times the flights' rows.

    python benchmarks/training_memory.py [--quick]     # about ten minutes

Twenty float64 columns in a Delta table as featurize writes it; the ready network, one epoch, validation and export.
Each training is a process of its own, whose peak is the kernel's (VmHWM); of the same process before it read a row, so
that what imports take can be seen; and of one that reads the same columns into one PyArrow table, as whoever gives a
matrix to a DataLoader does first. Beside them a worker of Ray, alone in a Ray of this machine, that reads for itself,
and one for which Ray Data reads, with the largest of the processes that do; peaks are looked up ten times a second.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from beside import table, versions
from run import machine
from training import COLUMNS, ROWS

TIMES = (1, 4, 16)
WORKER, READING = "RayTrainWorker", "MapBatches"
NAMES = [f"x{i}" for i in range(COLUMNS)]


def written(root: Path, rows: int) -> None:
    """The table, and its pointer beside it."""
    import pyarrow as pa

    from trimtab.adapters.delta import DeltaTables
    from trimtab.features.plan import LabelRule, ServingPlan
    from trimtab.features.schema import Field
    from trimtab.ports.tables import Content, Pointer
    from trimtab.steps.featurize import GROUP_ROWS

    fields = tuple(Field(name, "number") for name in NAMES)
    plan = ServingPlan(
        "wide", (), ("k",), None, (), "", fields, "binary", ("no", "yes"), LabelRule("y", None, 0.0)
    )
    kinds = {"trimtab_row": "integer", "trimtab_id": "string", "trimtab_label": "number"}

    def groups():
        for first in range(0, rows, GROUP_ROWS):
            number = np.arange(first, min(rows, first + GROUP_ROWS))
            draw = np.random.default_rng([7, first])
            x = draw.normal(size=(len(number), COLUMNS))
            y = x[:, 0] * x[:, 1] + x[:, 2] + draw.normal(size=len(number)) > 0
            yield pa.record_batch(
                {"trimtab_row": number, "trimtab_id": pa.array(number).cast(pa.string()),
                 "trimtab_label": y.astype(float), **{name: x[:, i] for i, name in enumerate(NAMES)}}
            )  # fmt: skip

    reader = pa.RecordBatchReader.from_batches(next(groups()).schema, groups())
    metadata = {"plan": plan.to_json(), "until": None, "order": "trimtab_row"}
    content = Content({**kinds, **dict.fromkeys(NAMES, "number")}, reader, rows, "wide", metadata, GROUP_ROWS)
    made = DeltaTables(root).overwrite("wide", content)
    pointer = Pointer("wide", made.version, made.rows, made.digest)
    (root / "pointer.json").write_text(json.dumps(pointer.to_json()))


def pointed(root: Path) -> Any:
    from trimtab.ports.tables import Pointer

    return Pointer.from_json(json.loads((root / "pointer.json").read_text()))


def trained(root: Path) -> None:
    """Peaks in MB: before a row is read, and at the end."""
    before = learned(root, {}, None)
    print(before, peak_mb())


def in_ray(root: Path, reader: str) -> None:
    """Peaks in MB: of the worker, and of the largest process that reads for it."""
    from trimtab.adapters.ray import RayWorkers

    peaks, over = {WORKER: 0.0, READING: 0.0}, threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for one in psutil.Process().children(recursive=True):
                try:
                    name = " ".join(one.cmdline())
                    for kind in peaks:
                        if kind in name:
                            peaks[kind] = max(peaks[kind], peak_mb(one.pid))
                except (psutil.Error, OSError, StopIteration):  # it has ended
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        learned(root, {"where": "kuberay", "reader": reader}, RayWorkers(root / "tmp"))
    finally:
        over.set()
        watching.join()
    print(peaks[WORKER], peaks[READING])


def learned(root: Path, how: dict[str, str], workers: Any) -> float:
    """MB at the peak before a row is read."""
    import onnxruntime  # noqa: F401  what the export imports in the end is no row's doing
    import sklearn  # noqa: F401
    import torch  # noqa: F401

    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.api.project import Project
    from trimtab.steps.train import model_source, train

    project = Project.model_validate(
        {
            "name": "wide",
            "sources": {"wide": {"files": "wide.csv"}},
            "examples": {"table": "wide", "key": ["k"], "label": {"column": "y"}},
            "model": {"family": "mlp", "params": {}},
            "training": {"epochs": 1, "batchRows": 8192, "patience": None,
                         "split": {"validation": 0.05, "test": 0.05}, **how},
        }
    )  # fmt: skip
    tables = DeltaTables(root)
    engine = DuckEngine(tables, root / "scratch")
    before = peak_mb()
    source = model_source(project, root)
    train(project, source, pointed(root), engine, tables, None, root / "made", workers=workers)
    return before


def read(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from trimtab.adapters.delta import DeltaTables

    pointer = pointed(root)
    files = DeltaTables(root).files("wide", pointer.version)
    before = peak_mb()
    pa.concat_tables([pq.read_table(file, columns=[*NAMES, "trimtab_label"]) for file in files])
    print(before, peak_mb())


def peak_mb(process: int | str = "self") -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def peaks(what: str, root: Path) -> tuple[float, float]:
    command = [sys.executable, __file__, "--of", what, "--root", str(root)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    before, after = map(float, said.split()[-2:])
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    for hidden in ("of", "root"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.of:
        of, root = asked.of, Path(asked.root)
        {"trained": trained, "read": read}[of](root) if of in ("trained", "read") else in_ray(root, of)
        return
    lines = []
    for times in TIMES[:2] if asked.quick else TIMES:
        rows = times * (40_000 if asked.quick else ROWS)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            written(root, rows)
            before, after = peaks("trained", root)
            empty, whole = peaks("read", root)
            own, _ = peaks("own", root)
            beside, reading = peaks("ray-data", root)
        lines.append(
            [f"{rows:,}", f"{rows * COLUMNS * 8 / 2**20:,.0f}", f"{before:,.0f}", f"{after:,.0f}",
             f"{after - before:,.0f}", f"{whole - empty:,.0f}", f"{own:,.0f}", f"{beside:,.0f}", f"{reading:,.0f}"]
        )  # fmt: skip
        print(lines[-1], file=sys.stderr, flush=True)
    heads = ["rows", "features as float64, MB", "peak before the first row, MB", "peak, MB", "of it for the rows, MB",
             "PyArrow's table of all rows, MB",
             "a worker of Ray, peak, MB", "one for which Ray Data reads, peak, MB",
             "the largest process that reads for it, MB"]  # fmt: skip
    print(f"{table(heads, lines)}\n\n{versions('torch', 'pyarrow', 'deltalake')}\n{machine()}")


if __name__ == "__main__":
    main()

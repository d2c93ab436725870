"""Rows from object storage into batches: this loader, from a bucket and from a folder, beside Ray Data.

    python benchmarks/object_storage.py            # 2,000,000 rows of 20 numbers
    python benchmarks/object_storage.py --quick

One table, one S3 server on this machine (SeaweedFS), 8,192 rows a batch, nothing learned, two epochs of which the
second counts. Ray Data reads with `read_parquet(…).iter_torch_batches`, shuffled in a buffer as large as this loader's
groups; and, as `training.reader: ray-data` has it, it reads this loader's blocks in this loader's order. Memory is the
peak of what the process and all of its own hold (PSS), Ray's helpers and store with them; the server and this script
are left out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.beside import table  # noqa: E402  the folder's parent has to be on the path first

COLUMNS, GROUP, BATCH, MIXED, EPOCHS = 20, 32_768, 8_192, 3, 2
NAMES = [f"x{i}" for i in range(COLUMNS)]


def written(address: str | Path, rows: int) -> None:
    import pyarrow as pa

    from trimtab.adapters.delta import DeltaTables
    from trimtab.ports.tables import Content

    draw = np.random.default_rng(1)

    def batches() -> Iterator[pa.RecordBatch]:
        for at in range(0, rows, GROUP):
            count = min(GROUP, rows - at)
            numbers = {name: draw.random(count) for name in NAMES}
            yield pa.record_batch({"row": np.arange(at, at + count), "y": numbers["x0"] > 0.5, **numbers})

    schema = pa.schema([("row", pa.int64()), ("y", pa.bool_()), *((name, pa.float64()) for name in NAMES)])
    kinds = {"row": "integer", "y": "boolean", **dict.fromkeys(NAMES, "number")}
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    DeltaTables(address).overwrite("wide", Content(kinds, reader, rows, "d", {"order": "row"}, GROUP))


class Stored:
    """`Blocks` of the table."""

    mixed = MIXED

    def __init__(self, address: str) -> None:
        from trimtab.adapters.delta import DeltaTables

        self.rows = DeltaTables(address).numbered("wide", 0, "row")
        self.counts = [min(GROUP, self.rows.rows - at) for at in range(0, self.rows.rows, GROUP)]

    def read(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        part = self.rows.read(block * GROUP, block * GROUP + self.counts[block], [*NAMES, "y"])
        matrix = np.empty((part.num_rows, COLUMNS), np.float32)
        for i, name in enumerate(NAMES):
            matrix[:, i] = part.column(name).to_numpy()
        return matrix, part.column("y").to_numpy()


def ours(address: str) -> Iterator[int]:
    """Rows of each batch of two epochs."""
    import torch

    from trimtab.steps.network.loader import Loader

    yield from epochs(Loader(Stored(address), BATCH, 7, torch.device("cpu")))


def ours_by_ray_data(address: str) -> Iterator[int]:
    import ray
    import torch

    from trimtab.adapters.ray.ray_data import mapped
    from trimtab.steps.network.loader import Loader

    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield from epochs(
        Loader(
            Stored(address),
            BATCH,
            7,
            torch.device("cpu"),
            lambda blocks, order: mapped(blocks.read, order, 1),
        )
    )
    ray.shutdown()


def epochs(loader: Any) -> Iterator[int]:
    for epoch in range(EPOCHS):
        yield 0
        for _, target in loader.batches(epoch):
            yield len(target)


def ray_data(address: str) -> Iterator[int]:
    import ray
    from pyarrow import fs

    from trimtab.adapters.delta import DeltaTables

    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    store = fs.S3FileSystem(endpoint_override=host, scheme="http")
    files = [file.removeprefix("s3://") for file in DeltaTables(address).files("wide", 0)]
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    held = ray.data.read_parquet(files, filesystem=store, columns=[*NAMES, "y"])
    for epoch in range(EPOCHS):
        yield 0
        batches = held.iter_torch_batches(
            batch_size=BATCH, local_shuffle_buffer_size=MIXED * GROUP, local_shuffle_seed=epoch
        )
        for batch in batches:
            yield len(batch["y"])
    ray.shutdown()


WHO: dict[str, Callable[[str], Iterator[int]]] = {
    "ours": ours,
    "ours_by_ray_data": ours_by_ray_data,
    "ray_data": ray_data,
}


def drained(who: str, address: str) -> None:
    """In a process of its own: prints seconds until the first batch, and rows/s of the last epoch."""
    began = time.perf_counter()
    first, rows, since = 0.0, 0, began
    for count in WHO[who](address):
        now = time.perf_counter()
        if count == 0:
            rows, since = 0, now
        first = first or (now - began if count else 0.0)
        rows += count
    print(f"{first} {rows} {rows / (time.perf_counter() - since)}", flush=True)


def measured(who: str, address: str, environment: dict[str, str]) -> list[str]:
    child = subprocess.Popen(
        [sys.executable, __file__, "--who", who, "--address", address],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            held = 0
            try:
                tree = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for one in tree:
                try:
                    held += one.memory_full_info().pss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], held)

    watching = threading.Thread(target=watch)
    watching.start()
    said, _ = child.communicate()
    over.set()
    watching.join()
    if child.returncode:
        return ["not measured", "", ""]
    first, _, rate = said.split()[-3:]
    return [f"{float(rate):,.0f}", f"{float(first):.1f} s", f"{peak[0] / 2**20:,.0f} MB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--who", choices=WHO)
    parser.add_argument("--address", default="")
    given = parser.parse_args()
    if given.who:
        drained(given.who, given.address)
        return
    from tests.contract.s3_server import S3Server, environment

    rows = 300_000 if given.quick else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        server = S3Server(Path(folder) / "s3")
        try:
            own = dict(environment(server.port))
            os.environ.update(own)
            written("s3://lake/bench", rows)
            written(Path(folder) / "tables", rows)
            lines = [
                ["this loader, from a folder", *measured("ours", f"{folder}/tables", own)],
                ["this loader, from the bucket", *measured("ours", "s3://lake/bench", own)],
                [
                    "this loader, Ray Data reading, from the bucket",
                    *measured("ours_by_ray_data", "s3://lake/bench", own),
                ],
                ["Ray Data, from the bucket", *measured("ray_data", "s3://lake/bench", own)],
            ]
        finally:
            server.kill()
    print(f"{rows:,} rows of {COLUMNS} numbers, {BATCH:,} a batch\n")
    print(table(["", "rows/s", "until the first batch", "peak memory"], lines))


if __name__ == "__main__":
    main()

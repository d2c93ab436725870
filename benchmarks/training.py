"""Row 10: an epoch of a network over the training rows beside a stock DataLoader loop, and the rows alone.

    python benchmarks/training.py [--quick]

Data: 336,776 rows of 20 float32 columns, as many as there are flights. Model: layers of 128 and 64, AdamW, cross
entropy, one thread, float32, without a clip and with a constant rate on either side. Rows a CPU second, all threads
counted, the best of some epochs: what other processes do to a shared machine is not what is measured. The loss after
the last epoch says that all learn alike.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from beside import table, versions
from run import machine

ROWS, COLUMNS = 336_776, 20
GROUP = 32_768
BATCHES = (512, 8192)


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(7)
    x = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] + x[:, 2] + draw.normal(size=rows) > 0).astype(np.int64)


def best(epochs: int, rows: int, epoch: Callable[[], float]) -> tuple[float, float]:
    """Rows a CPU second of the cheapest epoch, and the last one's mean loss."""
    taken, loss = [], 0.0
    for _ in range(epochs):
        began = time.process_time()
        loss = epoch()
        taken.append(time.process_time() - began)
    return rows / min(taken), loss


def model(torch):
    torch.manual_seed(7)
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(COLUMNS, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2)
    )  # fmt: skip


def stock(x: np.ndarray, y: np.ndarray, batch: int, epochs: int) -> tuple[float, float]:
    """The loop of torch's own tutorial: TensorDataset, DataLoader(shuffle=True), AdamW."""
    import torch

    net = model(torch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.002)
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=batch, shuffle=True)

    def epoch() -> float:
        total = 0.0
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(inputs), target)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(target)
        return total / len(y)

    return best(epochs, len(y), epoch)


def sliced(x: np.ndarray, y: np.ndarray, batch: int, epochs: int) -> tuple[float, float]:
    """What is left without a DataLoader: a permutation of all rows, and its slices."""
    import torch

    net = model(torch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.002)
    inputs, target = torch.from_numpy(x), torch.from_numpy(y)

    def epoch() -> float:
        total, order = 0.0, torch.randperm(len(y))
        for at in range(0, len(y), batch):
            rows = order[at : at + batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(inputs[rows]), target[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(y)

    return best(epochs, len(y), epoch)


def ours(x: np.ndarray, y: np.ndarray, batch: int, epochs: int) -> tuple[float, float]:
    """trimtab's loop, from the end of one epoch to that of the next."""
    import torch

    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.estimator import Network
    from trimtab.steps.network.watch import Epoch, Watch

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model(torch)

        def forward(self, numeric, categorical):
            return self.layers(numeric)

    schema = FeatureSchema(tuple(f"x{i}" for i in range(COLUMNS)), (), "binary", ("0", "1"))
    how = Training(epochs=epochs, batch_rows=batch, clip=None, schedule="constant", warmup=0)
    told: list[Epoch] = []
    ends = [time.process_time()]

    def ended(epoch: Epoch) -> None:
        told.append(epoch)
        ends.append(time.process_time())

    Network(Layers(), schema, how, 7, "model.py", {}).fit(x, y, watch=Watch(ended))
    return len(y) / min(np.diff(ends)), told[-1].loss


def loops(x: np.ndarray, y: np.ndarray, epochs: int) -> str:
    rows = []
    for batch in BATCHES:
        found = {one.__name__: one(x, y, batch, epochs) for one in (stock, sliced, ours)}
        rate = {name: speed for name, (speed, _) in found.items()}
        losses = " / ".join(f"{loss:.4f}" for _, loss in found.values())
        rows.append(
            [f"{batch:,}", *(f"{rate[one]:,.0f}" for one in ("stock", "sliced", "ours")),
             f"{rate['ours'] / rate['stock']:.1f}x", losses]
        )  # fmt: skip
    heads = [
        "rows a batch",
        "DataLoader loop, rows a CPU s",
        "permuted slices",
        "trimtab",
        "over the DataLoader loop",
    ]
    return table([*heads, f"loss of epoch {epochs}"], rows)


def readers(x: np.ndarray, y: np.ndarray, epochs: int) -> str:
    """Batches alone, with nothing learned; from memory and from Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from trimtab.adapters.parquet import ParquetRows
    from trimtab.steps.network.loader import Loader, MatrixBlocks

    names = [f"x{i}" for i in range(COLUMNS)]
    cpu = torch.device("cpu")

    class Stored:
        """Blocks of the file, each read anew."""

        mixed = 8

        def __init__(self, path: Path) -> None:
            self.rows = ParquetRows([str(path)], "row")
            self.counts = [min(GROUP, self.rows.rows - at) for at in range(0, self.rows.rows, GROUP)]

        def read(self, block: int) -> tuple[np.ndarray, np.ndarray]:
            part = self.rows.read(block * GROUP, block * GROUP + self.counts[block], [*names, "y"])
            matrix = np.empty((part.num_rows, COLUMNS), np.float32)
            for i, name in enumerate(names):
                matrix[:, i] = part.column(name).to_numpy()
            return matrix, part.column("y").to_numpy()

    def drained(batches: Callable[[], Iterable]) -> float:
        """Rows a CPU second of going through all batches."""
        return best(epochs, len(y), lambda: float(sum(len(target) for _, target in batches())))[0]

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        columns = {name: x[:, i] for i, name in enumerate(names)} | {"y": y, "row": np.arange(len(y))}
        pq.write_table(pa.table(columns), path, row_group_size=GROUP)
        bare, _ = best(epochs, len(y), lambda: float(pq.read_table(path, use_threads=False).num_rows))
        for batch in BATCHES:
            held = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
            stock = drained(partial(iter, DataLoader(held, batch_size=batch, shuffle=True)))
            found = [
                drained(partial(Loader(blocks, batch, 7, cpu).batches, 0))
                for blocks in (MatrixBlocks(x, y), Stored(path))
            ]
            lines.append(
                [f"{batch:,}", f"{stock:,.0f}", f"{found[0]:,.0f}", f"{found[0] / stock:.0f}x", f"{bare:,.0f}",
                 f"{found[1]:,.0f}", f"{found[1] / bare:.2f}x"]
            )  # fmt: skip
    return table(
        ["rows a batch", "DataLoader, rows a CPU s", "trimtab, memory", "over the DataLoader", "PyArrow's bare read",
         "trimtab, Parquet, shuffled", "over the bare read"], lines
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    import torch

    torch.set_num_threads(1)
    rows, epochs = (40_000, 2) if quick else (ROWS, 2)
    x, y = data(rows)
    digest = sha256(x.tobytes() + y.tobytes()).hexdigest()[:12]
    print(f"An epoch over {rows:,} rows of {COLUMNS} columns ({digest})\n")
    print(loops(x, y, epochs))
    print("\nTarget: at least 2.5x the DataLoader loop.\n\nThe same rows, in batches, with nothing learned\n")
    print(readers(x, y, epochs))
    print(
        f"\n{versions('torch', 'pyarrow', 'numpy')}; one thread of torch; GPU: {torch.cuda.is_available()}\n{machine()}"
    )


if __name__ == "__main__":
    main()

"""Row 10: an epoch of a network over the training rows beside a stock DataLoader loop, and the rows alone.

    python benchmarks/training.py [--quick]

Data: 336,776 rows of 20 float32 columns, as many as there are flights. Model: layers of 128 and 64, AdamW, cross
entropy, one thread, float32, without a clip and with a constant rate on either side. Rows a CPU second, all threads
counted, the best of some epochs: what other processes do to a shared machine is not what is measured. The loss after
the last epoch says that all learn alike. Lightning is measured where it is installed.
"""

import argparse
import contextlib
import importlib.util
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from beside import table, versions
from run import machine

ROWS, COLUMNS = 336_776, 20
GROUP = 32_768
BATCHES = (512, 8192)
SMALL = (128, 64)
LIGHTNING = importlib.util.find_spec("lightning") is not None
LIBRARIES = ("torch", "numpy", *(("lightning",) if LIGHTNING else ()))
LOADING_PROCESSES = 8
READINGS = 5
OF_READS = (
    "A whole table is given new pages, whose first touch costs more than decoding them; row groups, one after another, "
    "find the last one's memory again. trimtab reads groups too, mixes eight of them and cuts batches."
)


@dataclass(frozen=True)
class Case:
    """One training, the same for whoever does it.

    Attributes:
        widths: of the hidden layers.
        precision: float32, or bfloat16 by autocast.
    """

    x: np.ndarray
    y: np.ndarray
    widths: Sequence[int]
    batch: int
    epochs: int
    device: str = "cpu"
    precision: str = "float32"

    def model(self) -> Any:
        import torch

        torch.manual_seed(7)
        layers: list[Any] = []
        width = COLUMNS
        for size in self.widths:
            layers += [torch.nn.Linear(width, size), torch.nn.ReLU()]
            width = size
        return torch.nn.Sequential(*layers, torch.nn.Linear(width, 2))

    def clock(self) -> float:
        """Seconds: of CPU, or of a wall clock once the GPU is done."""
        if self.device == "cpu":
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def mixed(self) -> Any:
        import torch

        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, torch.bfloat16)


@dataclass(frozen=True)
class Found:
    """Rows a second of the best epoch, the last one's mean loss, and the peak of the GPU's memory in MB."""

    rows_per_s: float
    loss: float
    gpu_mb: float


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(7)
    x = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] + x[:, 2] + draw.normal(size=rows) > 0).astype(np.int64)


def best(
    epochs: int, rows: int, epoch: Callable[[], float], clock: Callable[[], float]
) -> tuple[float, float]:
    """Rows a second of the cheapest epoch, and the last one's mean loss."""
    taken, loss = [], 0.0
    for _ in range(epochs):
        began = clock()
        loss = epoch()
        taken.append(clock() - began)
    return rows / min(taken), loss


def measured(how: Callable[[Case], tuple[float, float]], case: Case) -> Found:
    import torch

    if case.device == "cpu":
        return Found(*how(case), 0.0)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return Found(*how(case), torch.cuda.max_memory_allocated() / 2**20)


def looped(case: Case, batches: Callable[[], Iterable[tuple[Any, Any]]]) -> tuple[float, float]:
    """The loop of torch's own tutorial over somebody's batches; on a GPU the loss is added up there."""
    import torch

    net = case.model().to(case.device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.002)

    def epoch() -> float:
        total: Any = 0.0
        for inputs, target in batches():
            inputs = inputs.to(case.device, non_blocking=True)
            target = target.to(case.device, non_blocking=True)
            optimizer.zero_grad()
            with case.mixed():
                loss = torch.nn.functional.cross_entropy(net(inputs), target)
            loss.backward()
            optimizer.step()
            total += (loss.item() if case.device == "cpu" else loss.detach()) * len(target)
        return float(total) / len(case.y)

    return best(case.epochs, len(case.y), epoch, case.clock)


def loader(case: Case, processes: int = 0) -> Any:
    import torch

    rows = torch.utils.data.TensorDataset(torch.from_numpy(case.x), torch.from_numpy(case.y))
    return torch.utils.data.DataLoader(
        rows, batch_size=case.batch, shuffle=True, num_workers=processes, persistent_workers=processes > 0,
        pin_memory=case.device != "cpu",
    )  # fmt: skip


def stock(case: Case) -> tuple[float, float]:
    """TensorDataset, DataLoader(shuffle=True), AdamW."""
    return looped(case, partial(iter, loader(case)))


def tuned(case: Case) -> tuple[float, float]:
    """The same with processes that load."""
    return looped(case, partial(iter, loader(case, LOADING_PROCESSES)))


def sliced(case: Case) -> tuple[float, float]:
    """What is left without a DataLoader: a permutation of all rows, and its slices; on a GPU all rows lie there."""
    import torch

    inputs, target = torch.from_numpy(case.x).to(case.device), torch.from_numpy(case.y).to(case.device)

    def batches() -> Iterator[tuple[Any, Any]]:
        order = torch.randperm(len(target), device=case.device)
        for at in range(0, len(target), case.batch):
            rows = order[at : at + case.batch]
            yield inputs[rows], target[rows]

    return looped(case, batches)


def lightning(case: Case) -> tuple[float, float]:
    """Lightning's Trainer with nothing beside the training, over the same DataLoader."""
    import lightning as L
    import torch

    ends: list[float] = []
    means: list[float] = []

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = case.model()
            self.total: Any = 0.0

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, target = batch
            loss = torch.nn.functional.cross_entropy(self.net(inputs), target)
            self.total = self.total + loss.detach() * len(target)
            return loss

        def on_train_epoch_start(self) -> None:
            ends.append(case.clock())
            self.total = 0.0

        def on_train_epoch_end(self) -> None:
            means.append(float(self.total) / len(case.y))
            ends.append(case.clock())

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.002)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    trainer = L.Trainer(
        max_epochs=case.epochs, accelerator="cpu" if case.device == "cpu" else "gpu", devices=1, logger=False,
        precision="32-true" if case.precision == "float32" else "bf16-mixed", enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), loader(case))
    return len(case.y) / min(np.subtract(ends[1::2], ends[::2])), means[-1]


def ours(case: Case) -> tuple[float, float]:
    """trimtab's loop, from the end of one epoch to that of the next."""
    import torch

    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.estimator import Network
    from trimtab.steps.network.watch import Epoch, Watch

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = case.model()

        def forward(self, numeric, categorical):
            return self.layers(numeric)

    schema = FeatureSchema(tuple(f"x{i}" for i in range(COLUMNS)), (), "binary", ("0", "1"))
    how = Training(
        epochs=case.epochs, batch_rows=case.batch, clip=None, schedule="constant", warmup=0, device=case.device,
        precision=case.precision,
    )  # fmt: skip
    told: list[Epoch] = []
    ends = [case.clock()]

    def ended(epoch: Epoch) -> None:
        told.append(epoch)
        ends.append(case.clock())

    Network(Layers(), schema, how, 7, "model.py", {}).fit(case.x, case.y, watch=Watch(ended))
    return len(case.y) / min(np.diff(ends)), told[-1].loss


def peers(device: str) -> dict[str, Callable[[Case], tuple[float, float]]]:
    """By what a table calls them; the first is what the others are held against."""
    found: dict[str, Callable[[Case], tuple[float, float]]] = {"DataLoader loop": stock}
    if device != "cpu":
        found[f"with {LOADING_PROCESSES} loading processes"] = tuned
    if LIGHTNING:
        found["Lightning"] = lightning
    return found | {"permuted slices": sliced, "trimtab": ours}


def loops(x: np.ndarray, y: np.ndarray, epochs: int) -> str:
    who = peers("cpu")
    rows = []
    for batch in BATCHES:
        case = Case(x, y, SMALL, batch, epochs)
        found = [measured(how, case) for how in who.values()]
        losses = " / ".join(f"{one.loss:.4f}" for one in found)
        rows.append(
            [f"{batch:,}", *(f"{one.rows_per_s:,.0f}" for one in found),
             f"{found[-1].rows_per_s / found[0].rows_per_s:.1f}x", losses]
        )  # fmt: skip
    heads = [f"{name}{', rows a CPU s' if place == 0 else ''}" for place, name in enumerate(who)]
    told = table(["rows a batch", *heads, "over the DataLoader loop", f"loss of epoch {epochs}"], rows)
    return (
        told
        if LIGHTNING
        else f"{told}\n\nLightning: not measured; `pip install lightning` beside trimtab first."
    )


def readers(x: np.ndarray, y: np.ndarray) -> str:
    """Batches alone, with nothing learned; from memory and from Parquet.

    Two bare reads of the same columns, neither shuffled. One after another, row groups find the last one's memory
    again; the whole table is given new pages, which costs more than decoding it where memory is touched first.
    """
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

        def drain() -> float:
            return float(sum(len(target) for _, target in batches()))

        return best(READINGS, len(y), drain, time.process_time)[0]

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        columns = {name: x[:, i] for i, name in enumerate(names)} | {"y": y, "row": np.arange(len(y))}
        pq.write_table(pa.table(columns), path, row_group_size=GROUP)

        def whole() -> float:
            return float(pq.read_table(path, columns=[*names, "y"], use_threads=False).num_rows)

        def by_groups() -> float:
            file = pq.ParquetFile(path)
            groups = range(file.num_row_groups)
            return float(
                sum(file.read_row_group(one, [*names, "y"], use_threads=False).num_rows for one in groups)
            )

        bare = [best(READINGS, len(y), read, time.process_time)[0] for read in (whole, by_groups)]
        for batch in BATCHES:
            held = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
            stock = drained(partial(iter, DataLoader(held, batch_size=batch, shuffle=True)))
            found = [
                drained(partial(Loader(blocks, batch, 7, cpu).batches, 0))
                for blocks in (MatrixBlocks(x, y), Stored(path))
            ]
            lines.append(
                [f"{batch:,}", f"{stock:,.0f}", f"{found[0]:,.0f}", f"{found[0] / stock:.0f}x",
                 *(f"{one:,.0f}" for one in bare), f"{found[1]:,.0f}", f"{found[1] / bare[1]:.2f}x"]
            )  # fmt: skip
    return table(
        ["rows a batch", "DataLoader, rows a CPU s", "trimtab, memory", "over the DataLoader",
         "PyArrow, the table at once", "PyArrow, by row groups", "trimtab, Parquet, shuffled", "over the row groups"],
        lines,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    import torch

    rows, epochs = (40_000, 2) if quick else (ROWS, 2)
    x, y = data(rows)
    digest = sha256(x.tobytes() + y.tobytes()).hexdigest()[:12]
    print(f"An epoch over {rows:,} rows of {COLUMNS} columns ({digest})\n")
    torch.set_num_threads(1)
    print(loops(x, y, epochs))
    print("\nTarget: at least 2.5x the DataLoader loop.\n\nThe same rows, in batches, with nothing learned\n")
    print(f"{readers(x, y)}\n\n{OF_READS}")
    print(f"\n{versions(*LIBRARIES, 'pyarrow')}; one thread of torch\n{machine()}")


if __name__ == "__main__":
    main()

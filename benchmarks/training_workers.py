"""Row 10, in several processes: what workers of Ray cost before they learn, how they scale, and how soon they go on.

    python benchmarks/training_workers.py [--quick]

Data and model are those of training.py; 8,192 rows a batch, one thread a process, wall time. The loss after the last
epoch says that all learn alike.
"""

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from beside import table, versions
from run import machine
from training import COLUMNS, ROWS, data, model

BATCH = 8192


class Heard:
    """What one training says, and when."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.epochs, self.ends, self.lines = [], [], []

    def epoch(self, epoch) -> None:
        self.epochs.append(epoch)
        self.ends.append(time.monotonic() - self.began)

    def say(self, line: str) -> None:
        self.lines.append((time.monotonic() - self.began, line))

    @property
    def rate(self) -> float:
        """Rows a second of the best epoch."""
        return max(one.rows_per_s for one in self.epochs)


def learn(
    x: np.ndarray, y: np.ndarray, epochs: int, workers: int, folder: Path, *, by_ray: bool, at_epoch=None
):
    """One training, its `Heard`, and the seconds until its weights are there."""
    import torch

    from trimtab.adapters.ray import RayWorkers
    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.estimator import Network
    from trimtab.steps.network.loader import MatrixBlocks
    from trimtab.steps.network.together import Together, learn_together
    from trimtab.steps.network.watch import Watch

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model(torch)

        def forward(self, numeric, categorical):
            return self.layers(numeric)

    schema = FeatureSchema(tuple(f"x{i}" for i in range(COLUMNS)), (), "binary", ("0", "1"))
    how = Training(epochs=epochs, batch_rows=BATCH, workers=workers, patience=None, checkpoint_every="1s")
    heard = Heard()

    def ended(epoch) -> None:
        heard.epoch(epoch)
        if at_epoch is not None and epoch.number == 2 and len(heard.epochs) == 2:
            at_epoch()

    watch = Watch(ended, say=heard.say, checkpoints=Checkpoints(folder / "checkpoints", "ab" * 32, heard.say))
    rows = MatrixBlocks(x, y.astype(np.float32))
    if by_ray:
        task = Together(
            "model.py", Layers(), schema, how, 7, {}, epochs, False, rows, None, watch.checkpoints
        )
        learn_together(task, RayWorkers(folder / "tmp"), watch)
    else:
        Network(Layers(), schema, how, 7, "model.py", {}).fit_blocks(rows, None, watch)
    return heard, time.monotonic() - heard.began


def kill_one() -> None:
    """Kill one of this process' workers."""
    all_of_us = (found for found in Path("/proc").iterdir() if found.name.isdecimal())
    os.kill(next(int(found.name) for found in all_of_us if _is_worker_of_ours(found)), signal.SIGKILL)


def _is_worker_of_ours(found: Path) -> bool:
    try:
        named = (found / "cmdline").read_bytes().startswith(b"ray::RayTrainWorker")
        mark = f"TRIMTAB_RAY={os.environ['TRIMTAB_RAY']}".encode()
        return named and mark in (found / "environ").read_bytes()
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rows, epochs = (ROWS, 4) if quick else (ROWS, 12)
    x, y = data(rows)
    cases = [("this process", 1, False), ("1 worker of Ray", 1, True), ("2 workers of Ray", 2, True)]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        learn(x[:20_000], y[:20_000], 1, 1, Path(folder) / "warm", by_ray=False)
        for place, (name, workers, by_ray) in enumerate(cases):
            heard, whole_s = learn(x, y, epochs, workers, Path(folder) / str(place), by_ray=by_ray)
            learning_s = sum(rows / one.rows_per_s for one in heard.epochs)
            before_s = heard.ends[0] - rows / heard.epochs[0].rows_per_s
            lines.append(
                [name, f"{heard.rate:,.0f}", f"{learning_s:.1f}", f"{before_s:.1f}",
                 f"{whole_s - heard.ends[-1]:.1f}", f"{heard.epochs[-1].loss:.4f}"]
            )  # fmt: skip
        heard, _ = learn(x, y, epochs, 2, Path(folder) / "killed", by_ray=True, at_epoch=kill_one)
    killed_s = heard.ends[1]
    again_s = next(moment for moment, line in heard.lines if "started anew" in line) - killed_s
    on_s = (
        next(end for end, one in zip(heard.ends, heard.epochs, strict=True) if end > killed_s + again_s)
        - killed_s
    )
    print(f"{epochs} epochs over {rows:,} rows of {COLUMNS} columns, {BATCH:,} rows a batch\n")
    print(
        table(
            ["learned in", "rows/s, best epoch", "learning, s", "before the first epoch, s",
             "after the last, s", f"loss of epoch {epochs}"], lines,
        )
    )  # fmt: skip
    print(
        f"\nA worker killed: all run again after {again_s:.1f} s, and the first epoch since has ended after "
        f"{on_s:.1f} s; loss of epoch {epochs}: {heard.epochs[-1].loss:.4f}"
    )
    print(f"\n{versions('ray', 'torch', 'numpy')}; gloo, one thread a process\n{machine()}")


if __name__ == "__main__":
    main()

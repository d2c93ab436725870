"""Row 10, in several processes: what workers of Ray cost before they learn, how they scale, and how soon all go on.

    python benchmarks/training_workers.py [--quick]     # about five minutes

Data and model are those of training.py; 8,192 rows a batch, one thread a process, wall time. Ray's own example is
what its documentation shows: TorchTrainer, prepare_model (DDP) and prepare_data_loader, a DataLoader that shuffles.
Each training is a command of its own that finds the rows in a file, so all pay for their imports; seconds count from
its start. A killed training says after which seconds its next epoch has ended, and has the bits of a whole one.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from beside import table, versions
from run import machine
from training import COLUMNS, ROWS, SMALL, Case, data

BATCH = 8192
RATE = 0.002
MARK = "TRIMTAB_BENCHMARK"


@dataclass
class Told:
    """What one training told, each with the moment, in seconds of the monotonic clock that all processes share.

    Attributes:
        epochs: number, rows/s, mean loss, and when it had ended.
        said: lines.
        digest: of the weights; "" where none are compared.
    """

    began: float
    epochs: list[tuple[int, float, float, float]] = field(default_factory=list)
    said: list[tuple[str, float]] = field(default_factory=list)
    digest: str = ""
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Rows a second of the best epoch."""
        return max(rate for _, rate, _, _ in self.epochs)

    def before_s(self, rows: int) -> float:
        """Seconds from the command's start to its first row."""
        _, rate, _, at = self.epochs[0]
        return at - rows / rate - self.began

    @property
    def after_s(self) -> float:
        return self.ended - self.epochs[-1][3]


@dataclass(frozen=True)
class Run:
    """A training to be started.

    Attributes:
        who: alone (in the process of the command), ray (our workers), or example (Ray Train's own).
        rows: a folder with x.npy and y.npy.
    """

    who: str
    workers: int
    epochs: int
    rows: Path
    kept: Path
    device: str = "cpu"

    def told(self, at_epoch: Callable[[Told, subprocess.Popen[str]], None] | None = None) -> Told:
        """The training to its end, or until `at_epoch`, called after each epoch, ends it."""
        command = [
            sys.executable, __file__, "--learn", self.who, "--workers", str(self.workers), "--epochs", str(self.epochs),
            "--rows", str(self.rows), "--kept", str(self.kept), "--device", self.device,
        ]  # fmt: skip
        marked = {**os.environ, MARK: secrets.token_hex(8)}
        found = Told(time.monotonic())
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=marked) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith("{"):
                    continue
                for kind, value in json.loads(line).items():
                    if kind == "epoch":
                        found.epochs.append(tuple(value))
                        if at_epoch is not None:
                            at_epoch(found, process)
                    elif kind == "said":
                        found.said.append(tuple(value))
                    else:
                        found.digest = value
        found.ended = time.monotonic()
        return found


def kill_worker(of: subprocess.Popen[str]) -> None:
    """Kill one of the command's workers."""
    import psutil

    for one in psutil.Process(of.pid).children(recursive=True):
        if any("RayTrainWorker" in part for part in one.cmdline()):
            one.kill()
            return
    raise LookupError("no worker was found")


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def learn(run: Run) -> None:
    """Our training, in this process or in workers."""
    import torch

    from trimtab.adapters.ray import RayWorkers
    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.estimator import Network
    from trimtab.steps.network.loader import MatrixBlocks
    from trimtab.steps.network.together import Together, learn_together
    from trimtab.steps.network.watch import Epoch, Watch

    x, y = read(run)

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = Case(x, y, SMALL, BATCH, run.epochs).model()

        def forward(self, numeric, categorical):
            return self.layers(numeric)

    def ended(epoch: Epoch) -> None:
        tell(epoch=(epoch.number, epoch.rows_per_s, epoch.loss, time.monotonic()))

    def say(line: str) -> None:
        tell(said=(line, time.monotonic()))

    schema = FeatureSchema(tuple(f"x{i}" for i in range(COLUMNS)), (), "binary", ("0", "1"))
    how = Training(
        epochs=run.epochs, batch_rows=BATCH, workers=run.workers, patience=None, checkpoint_every="1s",
        learning_rate=RATE, device=run.device,
    )  # fmt: skip
    watch = Watch(ended, say=say, checkpoints=Checkpoints(run.kept, "ab" * 32, say))
    rows, module = MatrixBlocks(x, y.astype(np.float32)), Layers()
    if run.who == "ray":
        with tempfile.TemporaryDirectory() as folder:
            task = Together(
                "model.py", module, schema, how, 7, {}, run.epochs, False, rows, None, watch.checkpoints
            )
            learn_together(task, RayWorkers(Path(folder)), watch)
    else:
        Network(module, schema, how, 7, "model.py", {}).fit_blocks(rows, None, watch)
    tell(digest=sha256(b"".join(one.numpy().tobytes() for one in module.state_dict().values())).hexdigest())


def example(run: Run) -> None:
    """Ray Train's own way, closed to other machines as ours is."""
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    with tempfile.TemporaryDirectory() as folder:
        ray.init(
            include_dashboard=False, log_to_driver=False, configure_logging=True, logging_level="ERROR",
            _node_ip_address="127.0.0.1", _temp_dir=folder,
        )  # fmt: skip
        given = {"told": f"{folder}/told", "run": run}
        TorchTrainer(
            as_documented, train_loop_config=given,
            scaling_config=ScalingConfig(num_workers=run.workers, use_gpu=run.device == "cuda"),
            run_config=RunConfig(name="example", storage_path=folder),
        ).fit()  # fmt: skip
        for line in Path(given["told"]).read_text().splitlines():
            print(line, flush=True)
        ray.shutdown()


def as_documented(given: dict[str, Any]) -> None:
    """A worker's part."""
    import torch
    from ray import train
    from ray.train.torch import prepare_data_loader, prepare_model

    run, world = given["run"], train.get_context().get_world_size()
    torch.set_num_threads(1)
    x, y = read(run)
    case = Case(x, y, SMALL, BATCH // world, run.epochs)
    net = prepare_model(case.model())
    held = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = prepare_data_loader(torch.utils.data.DataLoader(held, batch_size=case.batch, shuffle=True))
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE)
    for epoch in range(run.epochs):
        if world > 1:
            loader.sampler.set_epoch(epoch)
        began, total, rows = time.monotonic(), 0.0, 0
        for inputs, target in loader:
            loss = torch.nn.functional.cross_entropy(net(inputs), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, rows = total + loss.item() * len(target), rows + len(target)
        ended = time.monotonic()
        train.report({"loss": total / rows})
        if train.get_context().get_world_rank() == 0:
            with Path(given["told"]).open("a") as file:
                line = {"epoch": (epoch + 1, len(y) / (ended - began), total / rows, ended)}
                file.write(json.dumps(line) + "\n")


def read(run: Run) -> tuple[np.ndarray, np.ndarray]:
    return np.load(run.rows / "x.npy"), np.load(run.rows / "y.npy")


def cases(cores: int) -> Sequence[tuple[str, str, int]]:
    """Name, who, and workers, as far as there are cores."""
    several = [count for count in (1, 2, 4) if count <= cores]
    named = {1: "1 worker"} | {count: f"{count} workers" for count in several[1:]}
    return [
        ("trimtab, in the command's own process", "alone", 1),
        *((f"trimtab, {named[count]} of Ray", "ray", count) for count in several),
        *((f"Ray Train's own example, {named[count]}", "example", count) for count in several),
    ]


def beside_each_other(where: Path, rows: int, epochs: int) -> tuple[str, dict[tuple[str, int], Told]]:
    found, lines = {}, []
    for name, who, workers in cases(os.cpu_count() or 1):
        one = Run(who, workers, epochs, where, where / f"kept-{who}-{workers}").told()
        found[who, workers] = one
        first = found["alone", 1].rate
        lines.append(
            [name, f"{one.rate:,.0f}", f"{one.rate / first:.2f}x", f"{one.before_s(rows):.1f}", f"{one.after_s:.1f}",
             f"{one.epochs[-1][2]:.4f}"]
        )  # fmt: skip
        print(lines[-1], file=sys.stderr, flush=True)
    heads = ["learned by", "rows/s, best epoch", "over one process", "to the first row, s", "after the last, s",
             f"loss of epoch {epochs}"]  # fmt: skip
    return table(heads, lines), found


def killed(where: Path, epochs: int, whole: dict[tuple[str, int], Told]) -> str:
    """The process killed and started again at once, and one worker of two killed, as soon as there is a checkpoint."""

    def cut(run: Run, end: Callable[[subprocess.Popen[str]], None]) -> tuple[Told, float]:
        at: list[float] = []

        def look(_: Told, process: subprocess.Popen[str]) -> None:
            if not at and any(one.is_file() for one in run.kept.rglob("*")):
                at.append(time.monotonic())
                end(process)

        return run.told(look), at[0]

    lines = []
    alone = Run("alone", 1, epochs, where, where / "killed-alone")
    cut(alone, lambda process: process.send_signal(signal.SIGKILL))
    again = alone.told()
    first, uncut = again.epochs[0], whole["alone", 1]
    lines.append(resumed("the process, started again", again, again.began, first, "goes on", uncut))
    if ("ray", 2) in whole:
        by_two, at = cut(Run("ray", 2, epochs, where, where / "killed-ray"), kill_worker)
        since = next(moment for line, moment in by_two.said if "started anew" in line)
        first = next(one for one in by_two.epochs if one[3] > since)
        lines.append(resumed("one of 2 workers", by_two, at, first, "goes on", whole["ray", 2]))
    heads = [
        "killed once it has a checkpoint",
        "at work again, s",
        "an epoch ended, s",
        "weights of one that was not killed",
    ]
    return table(heads, lines)


def resumed(name: str, told: Told, at: float, first: tuple, word: str, whole: Told) -> list[str]:
    learning = next(moment for line, moment in told.said if word in line)
    same = "to the bit" if told.digest == whole.digest else "other bits"
    return [name, f"{learning - at:.1f}", f"{first[3] - at:.1f}", same]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    for hidden in ("learn", "rows", "kept", "device"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    for hidden in ("workers", "epochs"):
        parser.add_argument(f"--{hidden}", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.learn:
        run = Run(asked.learn, asked.workers, asked.epochs, Path(asked.rows), Path(asked.kept), asked.device)
        (example if run.who == "example" else learn)(run)
        return
    rows, epochs = (40_000, 30) if asked.quick else (ROWS, 12)
    with tempfile.TemporaryDirectory() as folder:
        where = stored(Path(folder), rows)
        shown, whole = beside_each_other(where, rows, epochs)
        print(f"{epochs} epochs over {rows:,} rows of {COLUMNS} columns, {BATCH:,} rows a batch\n\n{shown}\n")
        print(killed(where, epochs, whole))
    print(f"\n{versions('ray', 'torch', 'numpy')}; gloo, one thread a process\n{machine()}")


def stored(folder: Path, rows: int) -> Path:
    """The folder, with the rows in it."""
    for name, values in zip(("x", "y"), data(rows), strict=True):
        np.save(folder / f"{name}.npy", values)
    return folder


if __name__ == "__main__":
    main()

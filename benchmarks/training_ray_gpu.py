"""Row 10 in a worker of Ray on a GPU, and a search's trials there.

    python benchmarks/training_ray_gpu.py [--quick]     # about two minutes

The training of training_workers.py on the GPU, in the command's own process and in a worker of Ray, whose weights
must be the same bits; what the worker says of NCCL; and a search of networks whose trials have the GPU.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beside import table, versions
from run import machine
from search_at_once import searched, some_rows
from training import COLUMNS, ROWS
from training_workers import BATCH, Run, stored


@dataclass(frozen=True)
class Summed:
    """A task of workers: what NCCL adds up in a group of their own kind.

    Attributes:
        values: how many float32 numbers.
    """

    values: int

    def __call__(self, member: Any) -> dict[str, Any]:
        import torch
        from torch import distributed

        from trimtab.steps.network.peers import met

        with met(member.rank, member.world, member.meeting, member.device):
            ones = torch.ones(self.values, device=member.device)
            distributed.all_reduce(ones)
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(20):
                distributed.all_reduce(ones)
            torch.cuda.synchronize()
            taken_s = (time.perf_counter() - began) / 20
            return {
                "card": torch.cuda.get_device_name(), "device": str(ones.device), "world": member.world,
                "backend": distributed.get_backend_config(), "right": bool((ones == member.world).all()),
                "ms": taken_s * 1000, "nccl": ".".join(map(str, torch.cuda.nccl.version())),
            }  # fmt: skip


def trainings(where: Path, rows: int, epochs: int) -> str:
    lines, digests = [], []
    for name, who in (("the command's own process", "alone"), ("1 worker of Ray", "ray")):
        told = Run(who, 1, epochs, where, where / f"kept-{who}", "cuda").told()
        digests.append(told.digest)
        lines.append(
            [name, f"{told.rate:,.0f}", f"{told.before_s(rows):.1f}", f"{told.after_s:.1f}",
             f"{told.epochs[-1][2]:.4f}", told.digest[:12]]
        )  # fmt: skip
    same = "the same bits" if digests[0] == digests[1] != "" else "NOT the same bits"
    heads = ["learned by", "rows/s, best epoch", "to the first row, s", "after the last, s", f"loss of epoch {epochs}",
             "weights"]  # fmt: skip
    return f"{table(heads, lines)}\n\nBoth have {same}."


def searches(trials: int) -> str:
    from trimtab.adapters.ray import RayTrials
    from trimtab.steps.search.one_by_one import OneByOne

    rows, lines, tried = some_rows(30_000), [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, place in (
            ("one by one, in the search's process", OneByOne()),
            ("in a process of Ray", RayTrials(Path(folder) / "tmp", 1, 1, "cuda")),
        ):
            found, whole_s, own_s = searched(
                rows, "mlp", trials, place, Path(folder) / name[:3].strip(), "cuda"
            )
            tried.append([one.value for one in found.tried])
            lines.append([name, f"{whole_s:.1f}", f"{own_s:.1f}", f"{found.best.value:.6f}"])
    same = "the same values" if tried[0] == tried[1] else f"other values: {tried}"
    heads = [f"{trials} networks", "search, s", "until the first had ended, s", "best log loss"]
    return f"{table(heads, lines)}\n\nTrial by trial {same}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    from trimtab.adapters.ray import RayWorkers

    rows, epochs = (40_000, 4) if quick else (ROWS, 12)
    with tempfile.TemporaryDirectory() as folder:
        shown = trainings(stored(Path(folder), rows), rows, epochs)
        print(f"{epochs} epochs over {rows:,} rows of {COLUMNS} columns, {BATCH:,} rows a batch\n\n{shown}\n")
        said: list[str] = []
        found = RayWorkers(Path(folder) / "tmp").run(Summed(16 << 20), 1, 1, "cuda", said.append, said.append)
    print(
        f"A worker's group on {found['card']} ({found['device']}; {found['backend']}, NCCL {found['nccl']}): 64 MiB "
        f"added up over {found['world']} process in {found['ms']:.2f} ms, {'right' if found['right'] else 'WRONG'}.\n"
    )
    print(searches(4 if quick else 12))
    print(f"\n{versions('ray', 'torch', 'numpy', 'optuna')}\n{machine()}")


if __name__ == "__main__":
    main()

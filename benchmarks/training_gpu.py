"""Row 10 on a GPU: trimtab's loop beside a stock DataLoader loop, Lightning, and rows that all lie on the GPU.

    python benchmarks/training_gpu.py [--quick]     # about three minutes

The rows of training.py. Layers of 128 and 64, which a GPU is too large for, and three of 2,048. Rows a second of wall
time, each epoch until the GPU is done, the best of two. Then training.py's own loops on this machine's CPU.
"""

import argparse
import sys

import numpy as np
from beside import table, versions
from run import machine
from training import LIBRARIES, ROWS, SMALL, Case, data, loops, measured, ours, peers, sliced

BATCHES = (512, 8192, 65_536)
WIDE = (2048, 2048, 2048)
PRECISIONS = ("float32", "bfloat16")


def on_gpu(x: np.ndarray, y: np.ndarray, epochs: int, device: str) -> str:
    """Whoever waits for a DataLoader does so in either precision: those are shown in bfloat16 alone."""
    waiting = {name: how for name, how in peers(device).items() if how not in (sliced, ours)}
    rows = []
    for widths in (SMALL, WIDE):
        for batch in BATCHES:
            plain, mixed = (Case(x, y, widths, batch, epochs, device, one) for one in PRECISIONS)
            found = [measured(how, mixed) for how in waiting.values()]
            found += [measured(how, case) for how in (sliced, ours) for case in (plain, mixed)]
            print(f"{widths} {batch}: {found}", file=sys.stderr, flush=True)
            rows.append(
                ["-".join(map(str, widths)), f"{batch:,}", *(f"{one.rows_per_s:,.0f}" for one in found),
                 f"{found[-1].rows_per_s / found[0].rows_per_s:.1f}x",
                 f"{found[-1].rows_per_s / found[-3].rows_per_s:.2f}x",
                 " / ".join(f"{one.gpu_mb:,.0f}" for one in found[-4:]),
                 " / ".join(f"{one.loss:.3f}" for one in found)]
            )  # fmt: skip
    each = [f"{name}, {one}" for name in ("permuted slices", "trimtab") for one in PRECISIONS]
    return table(
        ["layers", "rows a batch", *waiting, *each, "bfloat16 over the DataLoader loop", "over the slices",
         "MB of the GPU of the last four", f"loss of epoch {epochs}"], rows,
    )  # fmt: skip


def gpu_memory(x: np.ndarray, y: np.ndarray, device: str) -> str:
    """What a table's size costs of the GPU's memory."""
    rows = []
    for times in (1, 10):
        case = Case(np.tile(x, (times, 1)), np.tile(y, times), SMALL, BATCHES[1], 1, device)
        rows.append([f"{len(case.y):,}", *(f"{measured(how, case).gpu_mb:,.0f}" for how in (sliced, ours))])
    return table(["rows", "all rows on the GPU, MB", "trimtab, MB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    x, y = data(40_000 if parser.parse_args().quick else ROWS)
    import torch

    torch.set_num_threads(1)
    print(
        f"An epoch over {len(y):,} rows of {x.shape[1]} columns, rows a second\n\n{on_gpu(x, y, 2, 'cuda')}"
    )
    print(f"\nThe GPU's memory at {BATCHES[1]:,} rows a batch\n\n{gpu_memory(x, y, 'cuda')}")
    print(f"\nOn the CPU of the same machine, one thread\n\n{loops(x, y, 2)}")
    print(f"\n{versions(*LIBRARIES)}; {torch.cuda.get_device_name()}\n{machine()}")


if __name__ == "__main__":
    main()

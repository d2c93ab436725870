"""One of several processes that learn together: python learning_peer.py RANK WORLD FOLDER turns|faults

FOLDER/RANK then holds the gradients of each turn by name, or each fault's error by type and text.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.api.errors import TrimtabError
from trimtab.ports.workers import PeerLost
from trimtab.steps.network.blame import blamed
from trimtab.steps.network.peers import Gradients, met

if TYPE_CHECKING:
    import torch

ROWS, TURNS = 13, 3
ORDER = "abbab"
"""Which layer each micro-batch of a turn uses: the last leaves out what the others used."""
FAULTS = ("faulty", "embedding", "functional", "checkpointed", "unreached", "gone")
Backward = Callable[["torch.Tensor", bool], None]


def layers() -> Any:
    """`c` is for marked rows, of which one process has all; `beside` takes part in the loss alone."""
    import torch
    from torch import nn

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.a = nn.Sequential(nn.Linear(4, 4000), nn.Tanh(), nn.Linear(4000, 100))  # more than a bucket
            self.b = nn.Linear(4, 100)
            self.c = nn.Linear(4, 100).double()
            self.frozen = nn.Linear(4, 100).requires_grad_(False)
            self.beside = nn.Parameter(torch.ones(3))
            self.never = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor, which: str) -> torch.Tensor:
            found = self.a(x) if which == "a" else self.b(x)
            marked = x[:, 3] > 9
            if not marked.any():
                return found
            more = self.c(x[marked].double()).float() + self.frozen(x[marked])
            return found.index_add(0, marked.nonzero()[:, 0], more)

    return Layers()


def turns(module: Any, part: slice, weight: float, backward: Backward) -> list[dict[str, Any]]:
    """The gradients of each turn by its micro-batches; `frozen` learns in the last turn."""
    import torch

    rows = torch.randn(len(ORDER), ROWS, 4, generator=torch.Generator().manual_seed(5))
    rows[2, 0, 3] = 10.0
    found = []
    for turn in range(TURNS):
        module.frozen.requires_grad_(turn == TURNS - 1)
        for place, which in enumerate(ORDER):
            x = rows[place][part]
            loss = module(x, which).square().mean() + x.mean() * module.beside.square().sum()
            backward(loss * weight / len(ORDER), place == len(ORDER) - 1)
        found.append({name: one.grad for name, one in module.named_parameters()})
        module.zero_grad(set_to_none=True)
    return found


def faulty(_: object) -> None:
    raise RuntimeError("a fault of its own")


def gone(_: object) -> None:
    os._exit(9)


def loss_of(case: str, rank: int, module: Any) -> "torch.Tensor":
    import torch
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    x, some = torch.ones(2, 4), torch.tensor([0, 2])
    if case == "embedding":
        module.b = nn.Embedding(3, 4, sparse=True)
        return module.b(some).sum()
    if case == "functional":
        return nn.functional.embedding(some, module.b.weight, sparse=True).sum()
    if case == "checkpointed":
        return checkpoint(module.b, module.c(x.double()).float()[:, :4], use_reentrant=True).sum()
    if case == "unreached":
        return nn.Linear(4, 1)(x).sum()
    found = module.b(x)
    if case == "faulty":
        found.register_hook(faulty)
    if case == "gone" and rank == 1:
        found.register_hook(gone)
    return found.sum() + module.a(x).sum()


def main(rank: int, world: int, folder: Path, what: str) -> None:
    import torch

    torch.set_num_threads(1)
    with met(rank, world, f"file://{folder}/meeting", "cpu") as peers:
        if what == "turns":
            gradients = Gradients(peers, layers(), "model.py")
            part, weight = peers.share(ROWS)
            found = turns(
                gradients.module, part, weight, lambda loss, last: gradients.backward(loss, last=last)
            )
            torch.save(found, folder / str(rank))
            return
        told = {}
        for case in FAULTS:
            peers.gathered("there")
            gradients = Gradients(peers, layers(), "model.py")
            try:
                with blamed("model.py", "in epoch 1, batch 1", kept=False):
                    gradients.backward(loss_of(case, rank, gradients.module), last=True)
            except (TrimtabError, PeerLost) as error:
                told[case] = f"{type(error).__name__}: {error}"
        torch.save(told, folder / str(rank))
        os._exit(0)  # as a worker after an error, without farewell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])

"""The processes that learn one network together: each from its share of every batch.

Every process goes through the same batches and learns from its own rows of each; gradients are then added up, so a
step is that of one process with the whole batch, but for the order in which floats are added. Read alike, rows
need no barrier, and no process has more steps than another.

Gradients are added between backward and the step, not within backward as torch's DistributedDataParallel does it:
there a peer that is gone cannot be told from a fault in model.py, and which sums are made in which order changes
after its first step, so that a training that goes on would have other bits.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import torch
from torch import distributed, nn

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.workers import PeerLost
from trimtab.steps.fitting.refusals import ModelRefused

LEAST_ROWS: Final = 2
"""Of a share: one row alone has no variance for a batch norm."""
WAITED: Final = timedelta(days=1)
"""Who waits for the task ends it long before, when it hears nothing."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The processes of one training, as one of them sees them; alone, it has all rows and nobody to ask."""

    rank: int = 0
    world: int = 1

    def seed(self, seed: int) -> int:
        """Of this process' own draws, such as a dropout's."""
        if self.rank == 0:
            return seed
        return int(np.random.SeedSequence([seed, self.rank]).generate_state(1)[0])

    def share(self, rows: int) -> tuple[slice, float]:
        """This process' rows of a batch of so many, and the weight of their mean in the batch's.

        A batch with too few rows to be shared is learned from by all alike.
        """
        if rows < LEAST_ROWS * self.world:
            return slice(0, rows), 1 / self.world
        first, last = (rows * place // self.world for place in (self.rank, self.rank + 1))
        return slice(first, last), (last - first) / rows

    def add_gradients(self, module: nn.Module, name: str) -> None:
        """Put the sum over all processes in the place of each gradient; what has none anywhere keeps none.

        Raises:
            ModelRefused: a gradient is sparse.
        """
        if self.world == 1:
            return
        learned = [one for one in module.parameters() if one.requires_grad]
        if any(one.grad is not None and one.grad.is_sparse for one in learned):
            raise ModelRefused(
                f"{name}: its gradients are sparse, which workers cannot add up",
                remedy="take sparse=False for the embedding, or training.workers: 1",
            )
        if not learned:
            return
        kind = torch.float64 if any(one.dtype == torch.float64 for one in learned) else torch.float32
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in learned]
        known = torch.tensor([float(one.grad is not None) for one in learned])
        device = learned[0].device
        flat = torch.cat([part.to(device, kind).flatten() for part in (*parts, known)])
        with _together():
            distributed.all_reduce(flat)
        *sums, counts = flat.split([*(one.numel() for one in learned), len(learned)])
        for place, (one, total) in enumerate(zip(learned, sums, strict=True)):
            if one.grad is not None:
                one.grad.copy_(total.view_as(one))
            elif counts[place] > 0:
                one.grad = total.view_as(one).to(one.device, one.dtype)

    def agreed(self, value: float, yes: bool) -> tuple[float, bool]:
        """The sum of a value over all processes, the same bits for each, and what rank 0 says."""
        told = self.gathered((value, yes))
        return sum(part for part, _ in told), told[0][1]

    def gathered(self, own: Any) -> list[Any]:
        """What each process has, in their order; of plain values, and on all of them."""
        if self.world == 1:
            return [own]
        found: list[Any] = [None] * self.world
        with _together():
            distributed.all_gather_object(found, own)
        return found

    def of_first(self, make: Callable[[], Any]) -> Any:
        """What rank 0 makes."""
        made = [make() if self.rank == 0 else None]
        if self.world > 1:
            with _together():
                distributed.broadcast_object_list(made)
        return made[0]

    def same_buffers(self, module: nn.Module) -> None:
        """Take rank 0's buffers, such as the running means of a batch norm."""
        for buffer in module.buffers() if self.world > 1 else ():
            with _together():
                distributed.broadcast(buffer, 0)


@contextlib.contextmanager
def met(rank: int, world: int, meeting: str, device: str) -> Iterator[Peers]:
    """The peers that meet there, for as long as it lasts.

    Raises:
        SurroundingsFailed: they are to compute on GPUs, and here is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise SurroundingsFailed(
            f"training.device: worker {rank} was given a GPU, and torch finds none there",
            remedy="see that its node has the driver (`nvidia-smi`) and its image a torch for it, or say cpu",
        )
    with _together():
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
            init_method=meeting,
            rank=rank,
            world_size=world,
            timeout=WAITED,
        )
    yield Peers(rank, world)
    distributed.destroy_process_group()  # after an error the process itself goes


@contextlib.contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error

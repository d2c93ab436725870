"""The processes that learn one network together: each from its share of every batch.

Every process goes through the same batches and learns from its own rows of each; gradients are then added up, so a
step is that of one process with the whole batch, but for the order in which floats are added. Read alike, rows
need no barrier, and no process has more steps than another.

Gradients are added within backward, by torch's DistributedDataParallel (Li et al., 2020, doi:10.14778/3415478.3415530).
It looks for parameters that a loss does not use, and so never sorts its buckets anew after the first step: a training
that goes on adds in the same order, and has the same bits. Its waiting is a step of its own, after backward, so a peer
that is gone is told from a fault in model.py.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.workers import PeerLost
from trimtab.steps.fitting.refusals import ModelRefused

LEAST_ROWS: Final = 2
"""Of a share: one row alone has no variance for a batch norm."""
EMBEDDINGS: Final = (nn.Embedding, nn.EmbeddingBag)
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


@dataclass(slots=True)
class Gradients:
    """Those of a module, added up over its peers.

    Attributes:
        name: of model.py or the family, for messages.
    """

    peers: Peers
    module: nn.Module
    name: str
    learned: list[nn.Parameter] = field(default_factory=list)
    reducing: DistributedDataParallel | None = None

    def backward(self, loss: torch.Tensor, *, last: bool) -> None:
        """Add the loss' gradients to those that are there, and sum them over all processes at the last of a turn.

        What has none anywhere keeps none.

        Raises:
            PeerLost: another process is gone.
            ModelRefused: a gradient is sparse, or is known twice; or there is none.
            Exception: model.py raised it.
        """
        reducing = self._reducing()
        if reducing is None:
            loss.backward()
            return
        with self._refused(), contextlib.nullcontext() if last else reducing.no_sync():
            reducing(loss).backward()
        if last:
            with _together(), self._reached():
                reducing.finalize_backward()

    def _reducing(self) -> DistributedDataParallel | None:
        """Of the parameters that learn now: model.py may freeze some, or free them, as it learns."""
        if self.peers.world == 1:
            return None
        learned = [one for one in self.module.parameters() if one.requires_grad]
        if [*map(id, learned)] != [*map(id, self.learned)]:
            self.learned, self.reducing = learned, self._wrapped() if learned else None
        return self.reducing

    def _wrapped(self) -> DistributedDataParallel:
        if any(
            isinstance(one, EMBEDDINGS) and one.sparse and one.weight.requires_grad
            for one in self.module.modules()
        ):
            raise self._sparse()
        made = DistributedDataParallel(
            _Losses(self.module),
            init_sync=False,  # all have the same weights, from one pickle or one checkpoint
            forward_sync_buffers=False,
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )
        made.register_comm_hook(None, _sum)
        made.require_manual_backward_finalization = True
        return made

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if any(one.grad is not None and one.grad.is_sparse for one in self.learned):
                raise self._sparse() from error
            if "mark a variable ready only once" in str(error):
                raise ModelRefused(
                    f"{self.name}: its backward comes to a parameter twice, which workers cannot add up",
                    remedy="say use_reentrant=False to torch.utils.checkpoint, or training.workers: 1",
                ) from error
            raise

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if "no gradient reduction requires finalization" in str(error):
                raise ModelRefused(
                    f"{self.name}: its loss reaches none of its parameters",
                    remedy="register its layers: nn.ModuleList in place of a list, and nothing detached",
                ) from error
            raise

    def _sparse(self) -> ModelRefused:
        return ModelRefused(
            f"{self.name}: its gradients are sparse, which workers cannot add up",
            remedy="take sparse=False for the embedding, or training.workers: 1",
        )


class _Losses(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Hands on a loss of the module. Any parameter may take part in it: in forward, or in model.py's `loss` alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, loss: torch.Tensor) -> torch.Tensor:
        return loss


def _sum(_: None, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """A sum where DistributedDataParallel would take the mean: losses have the weights of their shares already."""
    with _together():
        begun = distributed.all_reduce(bucket.buffer(), async_op=True)
    return begun.get_future().then(lambda done: done.value()[0])


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

"""A network's training as the task of workers: what each is sent, does, and tells."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from trimtab.api.training import Loop
from trimtab.features.schema import FeatureSchema
from trimtab.ports.blocks import Blocks
from trimtab.ports.workers import Member, Workers
from trimtab.steps.fitting.circumstances import Circumstances, joined
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.circumstances import of_torch
from trimtab.steps.network.loader import Part, one_by_one
from trimtab.steps.network.loop import Fit, Place, device_of
from trimtab.steps.network.peers import met
from trimtab.steps.network.seeds import seed_all
from trimtab.steps.network.watch import Watch

Told = Literal["epoch", "step", "say", "alive"]
"""Which function of a watch a worker calls from afar."""


@dataclass(frozen=True, slots=True)
class Together:
    """One training, the same for each worker. Rows travel as the place where they are stored.

    Attributes:
        checkpoints: in a folder that every worker sees; None keeps none.
    """

    name: str
    module: nn.Module
    schema: FeatureSchema
    settings: Loop
    seed: int
    hooks: Mapping[str, Callable[..., Any]]
    last_epoch: int
    choosing: bool
    rows: Blocks
    validation: Blocks | None
    checkpoints: Checkpoints | None

    def __call__(self, member: Member) -> tuple[Mapping[str, Any], Place, Circumstances]:
        """The weights, the same in each worker, where it ended, and with what all of them learned."""
        torch.set_num_threads(self.settings.threads)
        with met(member.rank, member.world, member.meeting, member.device) as peers:
            if peers.rank == 0:
                member.tell(("alive", None))  # all have met
            seed_all(peers.seed(self.seed))
            fit = Fit(
                self.name,
                self.module,
                self.schema,
                self.settings.model_copy(update={"device": member.device}),
                self.seed,
                self.hooks,
                self._watch(member),
                self.last_epoch,
                self.choosing,
                peers,
                one_by_one if self.settings.reader == "own" else partial(read_beside, member),
            )
            place = fit.run(self.rows, self.validation)
            own = of_torch(device_of(fit.settings))
            return self.module.state_dict(), place, joined(peers.gathered(own))

    def _watch(self, member: Member) -> Watch:
        if member.rank:
            return Watch(checkpoints=self.checkpoints)

        def say(line: str) -> None:
            member.tell(("say", line))

        kept = self.checkpoints
        return Watch(
            lambda epoch: member.tell(("epoch", epoch)),
            lambda step: member.tell(("step", step)),
            say,
            lambda: member.tell(("alive", None)),
            None if kept is None else kept.telling(say),
        )


def read_beside(member: Member, blocks: Blocks, order: Sequence[int]) -> Generator[Part, None, None]:
    """Matrices by processes beside the members, in order; the target this one has."""
    with closing(member.map(blocks.matrix, order)) as matrices:
        for block, matrix in zip(order, matrices, strict=True):
            yield matrix, blocks.target(block)


def learn_together(task: Together, workers: Workers, watch: Watch) -> tuple[Place, Circumstances]:
    """Learn in `training.workers` processes; the module then has their weights.

    Raises:
        ModelRefused, TrainingRefused: as `Fit.run`, in whichever worker.
        SurroundingsFailed: as `Fit.run` and `Workers.run`.
    """

    def hear(event: tuple[Told, Any]) -> None:
        kind, told = event
        if kind == "epoch":
            watch.epoch(told)
        elif kind == "step":
            watch.step(told)
        elif kind == "say":
            watch.say(told)
        else:
            watch.alive()

    settings, kept = task.settings, task.checkpoints
    sent = replace(task, checkpoints=None if kept is None else kept.telling(_silent))
    weights, place, circumstances = workers.run(
        sent, settings.workers, settings.threads, settings.device, hear, watch.say
    )
    task.module.load_state_dict(weights)
    task.module.eval()
    return place, circumstances


def _silent(_: str) -> None:
    """Nobody listens yet where it is sent to."""

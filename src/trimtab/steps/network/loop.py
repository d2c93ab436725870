"""The loop of training: batches, loss, gradient, step; a schedule, a stop, and checkpoints on the way.

On one CPU thread count and one machine the weights depend on settings, rows and seed alone, to the bit, whether
the training was cut off in between or not. Several processes run the same loop side by side (`peers`).
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import torch
from torch import nn

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.training import Loop
from trimtab.features.schema import FeatureSchema
from trimtab.ports.blocks import Blocks
from trimtab.steps.fitting.refusals import ModelRefused, TrainingRefused
from trimtab.steps.fitting.usage import metrics, peak_mb
from trimtab.steps.network.blame import blamed, memory_is_enough
from trimtab.steps.network.loader import Loader, Read, in_order, one_by_one
from trimtab.steps.network.memory import keep_what_steps_free
from trimtab.steps.network.peers import Gradients, Peers
from trimtab.steps.network.seeds import put_back, random_state
from trimtab.steps.network.usage import meter_on
from trimtab.steps.network.watch import Epoch, Step, Watch

SCORED_ROWS: Final = 16_384
TOLD_EVERY_S: Final = 0.5
WORTH_KEEPING_S: Final = 5.0
LOOKED_EVERY: Final = 50
"""Steps between two looks at losses, where a look waits: for a GPU, or for other processes."""
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a training has come.

    Attributes:
        epoch, step: the next batch, both from 0.
        loss, rows: sum and count over the epoch's batches so far.
        best, best_epoch: lowest validation loss, and the number of its epoch; 0 for none yet.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    rows: int = 0
    best: float = math.inf
    best_epoch: int = 0


@dataclass(slots=True)
class Fit:
    """One training of one module; `run` ends it, with the module's best weights in place.

    Attributes:
        name: of model.py or the family, for messages.
        hooks: `loss` and `optimizer`, where model.py has them.
        last_epoch: stop after this one at the latest; the schedule is that of settings.epochs.
        choosing: whether the validation loss ends the training and chooses the epoch whose weights are kept.
        peers: who else learns the same; only rank 0 writes checkpoints.
        read: how the rows come.
    """

    name: str
    module: nn.Module
    schema: FeatureSchema
    settings: Loop
    seed: int
    hooks: Mapping[str, Callable[..., Any]]
    watch: Watch
    last_epoch: int
    choosing: bool
    peers: Peers = field(default_factory=Peers)
    read: Read = one_by_one
    gradients: Gradients = field(init=False)
    kept_at: float = 0.0

    def __post_init__(self) -> None:
        self.gradients = Gradients(self.peers, self.module, self.name)

    def run(self, blocks: Blocks, validation: Blocks | None) -> Place:
        """Learn from the blocks.

        Raises:
            ModelRefused: forward, loss or optimizer raised, or gave another shape.
            TrainingRefused: the loss is no number any more.
            SurroundingsFailed: no GPU, too little memory, or a checkpoint that cannot be written.
        """
        device = device_of(self.settings)
        with memory_is_enough(self.name, "while it learned", kept=self.watch.checkpoints is not None):
            keep_what_steps_free()
            return self._run(blocks, validation, device)

    def _run(self, blocks: Blocks, validation: Blocks | None, device: torch.device) -> Place:
        loader = Loader(blocks, self.settings.batch_rows, self.seed, device, self.read)
        self.module.to(device)
        optimizer = self._optimizer(device)
        turns = math.ceil(loader.steps / self.settings.accumulate)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, rate_shape(self.settings, turns * self.settings.epochs)
        )
        place, best = self._resumed(optimizer, schedule)
        self.kept_at, meter = time.monotonic(), meter_on(device)
        while place.epoch < self.last_epoch and not self._is_over(place):
            place, rate = self._epoch(place, loader, optimizer, schedule, device, best)
            held = None if validation is None else self._loss_over(validation, device)
            number = place.epoch + 1
            better = self.choosing and held is not None and held < place.best
            if better:
                assert held is not None
                best = _on_cpu(self.module.state_dict())
                place = replace(place, best=held, best_epoch=number)
            mean = place.loss / max(1, place.rows)
            left = loader.steps * self.settings.batch_rows / max(rate, 1e-9) * (self.last_epoch - number)
            place = replace(place, epoch=number, step=0, loss=0.0, rows=0)
            _, due = self.peers.agreed(0.0, self._due(WORTH_KEEPING_S))
            if due:
                self._keep(place, loader, optimizer, schedule, best)
            learning_rate, memory_mb = schedule.get_last_lr()[0], _peak_mb(device)
            system = metrics(self.peers.gathered(meter.read()))
            self.watch.epoch(
                Epoch(
                    number, self.last_epoch, mean, held, better, rate, left, learning_rate, memory_mb, system
                )
            )
        if best is not None:
            self.module.load_state_dict(best)
        self.module.to("cpu").eval()
        return place if place.best_epoch else replace(place, best_epoch=place.epoch)

    def _is_over(self, place: Place) -> bool:
        patience = self.settings.patience
        return bool(patience and place.best_epoch and place.epoch - place.best_epoch >= patience)

    def _epoch(
        self, place: Place, loader: Loader, optimizer: Any, schedule: Any, device: torch.device, best: Any
    ) -> tuple[Place, float]:
        """The rest of an epoch, and its rows/s."""
        self.module.train()
        steps, accumulate = loader.steps, self.settings.accumulate
        began = said = time.monotonic()
        lately = meter_on(device)
        before = looked = place.rows
        total, pending = place.loss, []
        quick = device.type == "cpu" and self.peers.world == 1
        every = 1 if quick or not self.settings.checkpoint_every else LOOKED_EVERY
        batches = loader.batches(place.epoch, place.step)
        with contextlib.closing(batches):
            for x, y in batches:
                last, keep = place.step + 1 == steps, False
                turn = (place.step + 1) % accumulate == 0 or last
                where = f"in epoch {place.epoch + 1}, batch {place.step + 1}"
                rows = len(y)
                mine, weight = self.peers.share(rows)
                with self._blamed(where):
                    loss = self._loss(x[mine], y[mine], device)
                    share = loss if weight == accumulate else loss * weight / accumulate  # both 1: alone
                    self.gradients.backward(share, last=turn)
                    if turn:
                        if self.settings.clip is not None:
                            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip)
                        optimizer.step()
                        schedule.step()
                        self.module.zero_grad(set_to_none=True)  # an optimizer may have a part alone
                pending.append((loss.detach(), weight * rows))
                place = replace(place, step=place.step + 1, rows=place.rows + rows)
                if last or (turn and place.step // accumulate % every == 0):
                    seen = sum(float(value) * counted for value, counted in pending)
                    pending.clear()
                    seen, keep = self.peers.agreed(seen, not last and self._due())
                    total, looked = total + seen, place.rows
                    self._check(total, place)
                now = time.monotonic()
                rate = (place.rows - before) / max(now - began, 1e-9)
                if now - said > TOLD_EVERY_S:
                    said, share = now, place.step / steps
                    left = (self.last_epoch - place.epoch - share) * steps * self.settings.batch_rows / rate
                    mean = total / looked if looked else math.nan
                    batch, system = place.epoch * steps + place.step, metrics([lately.read()])
                    self.watch.step(Step(place.epoch + 1, batch, share, mean, rate, left, system))
                if keep:
                    place = replace(place, loss=total)
                    self._keep(place, loader, optimizer, schedule, best)
        return replace(place, loss=total), (place.rows - before) / max(time.monotonic() - began, 1e-9)

    def _loss(self, x: torch.Tensor, y: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The mean loss of a batch."""
        numbers = len(self.schema.numeric)
        outputs = max(1, len(self.schema.classes))
        with autocast(self.settings, device):
            logits = self.module(x[:, :numbers], x[:, numbers:].long())
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (len(y), outputs):
            shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise ModelRefused(
                f"{self.name}: forward answered {shape} for {len(y)} rows and {outputs} outputs",
                remedy="answer logits of shape (rows, classes), or (rows, 1) for a regression",
            )
        target = y if self.schema.task == "regression" else y.long()
        own = self.hooks.get("loss")
        if own is not None:
            loss = own(logits.float(), target)
            if not isinstance(loss, torch.Tensor) or loss.dim():
                raise ModelRefused(
                    f"{self.name}: loss gave no single number", remedy="return the batch's mean loss"
                )
            return loss
        if self.schema.task == "regression":
            return nn.functional.mse_loss(logits.float()[:, 0], target)
        return nn.functional.cross_entropy(logits.float(), target)

    def _loss_over(self, rows: Blocks, device: torch.device) -> float:
        self.module.eval()
        self.peers.same_buffers(self.module)
        total, count, told = 0.0, sum(rows.counts), time.monotonic()
        with torch.no_grad():
            for x, y in in_order(rows, SCORED_ROWS, device, self.peers.rank, self.peers.world, self.read):
                with self._blamed("on the validation rows"):
                    total += float(self._loss(x, y, device)) * len(y)
                if time.monotonic() - told > TOLD_EVERY_S:
                    told = time.monotonic()
                    self.watch.alive()
        total, _ = self.peers.agreed(total, True)
        if not math.isfinite(total):
            raise TrainingRefused(
                f"{self.name}: the loss on the validation rows is {total / count}", remedy=_DIVERGED
            )
        return total / count

    def _check(self, total: float, place: Place) -> None:
        if not math.isfinite(total):
            raise TrainingRefused(
                f"{self.name}: the loss is {total} in epoch {place.epoch + 1}, at or before batch {place.step}",
                remedy=_DIVERGED,
            )

    def _optimizer(self, device: torch.device) -> Any:
        own = self.hooks.get("optimizer")
        with self._blamed("when it was asked for its optimizer"):
            if own is None:
                return torch.optim.AdamW(
                    self.module.parameters(),
                    lr=self.settings.learning_rate,
                    weight_decay=self.settings.weight_decay,
                    fused=True,
                )
            made = own(self.module.parameters())
        if not isinstance(made, torch.optim.Optimizer):
            raise ModelRefused(
                f"{self.name}: optimizer gave {type(made).__name__}", remedy="return a torch.optim.Optimizer"
            )
        return made

    def _resumed(self, optimizer: Any, schedule: Any) -> tuple[Place, Any]:
        kept = self.watch.checkpoints
        held = None if kept is None else self.peers.of_first(kept.last)
        if held is None:
            return Place(), None
        if _shapes(held["module"]) != _shapes(self.module.state_dict()):
            said = f"{self.name}: its last checkpoint has weights of other shapes; it begins anew"
            self.watch.say(f"{said} (to go on, let build make the same layers each time)")
            return Place(), None
        self.module.load_state_dict(held["module"])
        optimizer.load_state_dict(held["optimizer"])
        schedule.load_state_dict(held["schedule"])
        put_back(held["random"][self.peers.rank])
        place = Place(**held["place"])
        self.watch.say(f"goes on from its checkpoint: epoch {place.epoch + 1}, batch {place.step + 1}")
        return place, held["best"]

    def _due(self, worth_s: float = math.inf) -> bool:
        """Whether a checkpoint is to be written; at an epoch's end, one that saves a few seconds already."""
        if self.watch.checkpoints is None:
            return False
        every_s = min(worth_s, self.settings.checkpoint_every.total_seconds())
        return time.monotonic() - self.kept_at >= every_s

    def _keep(self, place: Place, loader: Loader, optimizer: Any, schedule: Any, best: Any) -> None:
        assert self.watch.checkpoints is not None
        state = {
            "module": self.module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "random": self.peers.gathered(random_state()),
            "place": asdict(place),
            "best": best,
        }
        if self.peers.rank == 0:
            self.watch.checkpoints.write(place.epoch * loader.steps + place.step, state)
        self.kept_at = time.monotonic()

    def _blamed(self, where: str) -> contextlib.AbstractContextManager[None]:
        return blamed(self.name, where, kept=self.watch.checkpoints is not None)


_DIVERGED: Final = "lower training.learningRate, or look in model.py for a division or a logarithm of 0"


def device_of(settings: Loop) -> torch.device:
    """Where it learns.

    Raises:
        SurroundingsFailed: a GPU is asked for and none is there.
    """
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise SurroundingsFailed(
            "training.device asks for a GPU (cuda), and torch finds none here",
            remedy="run where there is one (`nvidia-smi` lists it), or say training.device: auto",
        )
    return torch.device("cuda" if there and settings.device != "cpu" else "cpu")


def autocast(settings: Loop, device: torch.device) -> Any:
    """bfloat16 where it is asked for, or where a GPU has it; not where torch would emulate it (before Ampere)."""
    mixed = settings.precision == "bfloat16" or (
        settings.precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.autocast(device.type, torch.bfloat16) if mixed else contextlib.nullcontext()


def rate_shape(settings: Loop, turns: int) -> Callable[[int], float]:
    """The learning rate after so many of `turns` steps of the optimizer, as a share of its highest."""
    rising = round(turns * settings.warmup)

    def share(turn: int) -> float:
        if turn < rising:
            return (turn + 1) / (rising + 1)
        done = min(1.0, (turn - rising) / max(1, turns - rising))
        if settings.schedule == "constant":
            return 1.0
        return 1.0 - done if settings.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))

    return share


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _on_cpu(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value.detach().to("cpu")) for name, value in state.items()}


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return peak_mb()

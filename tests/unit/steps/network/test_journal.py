"""What is told of a training while it runs."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("torch")

ROWS, BATCH, EPOCHS = 640, 16, 3
WITHIN = re.compile(r"in epoch (\d), (\d+)%: loss \d\.\d{5}, [\d,]+ rows/s, [\ddhms]+ left")


def ticking(by_s: float) -> Callable[[], float]:
    """A clock that goes on by so much whenever it is read."""

    def times() -> Iterator[float]:
        now = 1000.0
        while True:
            yield now
            now += by_s

    return times().__next__


def lines_of(monkeypatch: pytest.MonkeyPatch, by_s: float) -> list[str]:
    """A training that tells of each batch, by a clock that is read at each."""
    import torch

    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network import loop
    from trimtab.steps.network.estimator import Network
    from trimtab.steps.network.journal import Journal

    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, numeric: Any, categorical: Any) -> Any:
            return self.layer(numeric)

    monkeypatch.setattr(loop, "TOLD_EVERY_S", -1.0)
    lines: list[str] = []
    x = np.random.default_rng(1).normal(size=(ROWS, 2)).astype(np.float32)
    how = Training(epochs=EPOCHS, batch_rows=BATCH, device="cpu")
    schema = FeatureSchema(("a", "b"), (), "binary", ("0", "1"))
    journal = Journal(None, str, lines.append, clock=ticking(by_s))
    Network(Linear(), schema, how, 7, "model.py", {}).fit(x, (x[:, 0] > 0).astype(float), watch=journal.watch)
    return lines


def test_a_long_epoch_tells_rate_loss_and_what_is_left_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(monkeypatch, by_s=1.0)
    within = [found for line in lines if (found := WITHIN.fullmatch(line))]
    told = [(int(found[1]), round(int(found[2]) / 100 * ROWS / BATCH)) for found in within]
    assert told == [(epoch, batch) for epoch in (1, 2, 3) for batch in (11, 21, 31)]  # a second a batch
    assert [line.split(":")[0] for line in lines[3::4]] == [f"epoch {i} of 3" for i in (1, 2, 3)]


def test_a_short_epoch_tells_its_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [line.split(":")[0] for line in lines_of(monkeypatch, by_s=0.2)] == [
        f"epoch {i} of 3" for i in (1, 2, 3)
    ]


def test_before_the_first_look_at_a_loss_none_is_told() -> None:
    from trimtab.steps.network.journal import Journal
    from trimtab.steps.network.watch import Step

    lines: list[str] = []
    step = Journal(None, str, lines.append, clock=ticking(60.0)).watch.step
    step(Step(1, 4, 0.1, float("nan"), 100.0, 90.0))
    step(Step(1, 8, 0.2, float("nan"), 100.0, 80.0))
    assert lines == ["in epoch 1, 20%: 100 rows/s, 1m20s left"]


@dataclass
class Worker:
    """One of two, whose words are kept."""

    rank: int
    world: int = 2
    device: Any = "cpu"
    meeting: str = ""
    told: list[Any] = field(default_factory=list)

    def tell(self, event: Any) -> None:
        self.told.append(event)


def test_of_several_workers_the_first_alone_tells_how_far_they_are() -> None:
    import torch

    from trimtab.api.training import Loop
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.together import Together
    from trimtab.steps.network.watch import Step

    schema = FeatureSchema(("a",), (), "binary", ("0", "1"))
    how = (torch.nn.Linear(1, 2), schema, Loop(), 7, {}, 1, True)
    task = Together("model.py", *how, rows=Any, validation=None, checkpoints=None)  # type: ignore[arg-type]  # not read
    workers = [Worker(0), Worker(1)]
    for worker in workers:
        task._watch(worker).step(Step(1, 20, 0.5, 0.6, 1e5, 30.0))
    assert [worker.told for worker in workers] == [[("step", Step(1, 20, 0.5, 0.6, 1e5, 30.0))], []]

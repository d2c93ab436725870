"""The train step in workers of Ray: what they learn, and what is left when one of them, or all, come to grief."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.contract.ray.learners import Begin, Learner

pytestmark = pytest.mark.xdist_group("ray")

WAITING = "while self.calls == 14 and not os.path.exists({gate!r}): time.sleep(0.05)"
"""In the second of the epochs that a process goes through, until there is a file."""


@dataclass
class Whole:
    """A training by two workers that nothing befell.

    Attributes:
        listened: addresses at which any of its processes took calls.
    """

    learner: Learner
    listened: set[str]
    left: list[str]


@pytest.fixture(scope="module")
def whole(begin: Begin) -> Whole:
    gate = begin.root / "two.gate"
    learner = begin("two", 2, WAITING.format(gate=str(gate)))
    learner.until("epoch 1 of 4")
    calls = itertools.chain.from_iterable(learner.each(lambda one: one.connections("tcp")))
    listened = {call.laddr.ip for call in calls if call.status == psutil.CONN_LISTEN}
    gate.touch()
    assert learner.ended() == 0, learner.lines
    return Whole(learner, listened, learner.left())


def test_two_workers_learn_what_one_process_does(whole: Whole, begin: Begin, root: Path) -> None:
    alone = begin("one", 1)
    assert alone.ended() == 0, alone.lines
    one, two = np.load(root / "one.npy"), np.load(root / "two.npy")
    assert np.abs(one - two).max() < 1e-5
    assert not np.array_equal(one, np.zeros_like(one))
    epochs = [
        [line.split(",")[0] for line in run.lines if line.startswith("epoch")]
        for run in (alone, whole.learner)
    ]
    assert len(epochs[0]) == 4
    assert epochs[0] == epochs[1]


def test_nothing_of_ray_listens_to_other_machines_or_stays(whole: Whole) -> None:
    assert whole.listened
    assert {address.removeprefix("::ffff:") for address in whole.listened} <= {"127.0.0.1", "::1"}
    assert whole.left == []


def test_torch_says_nothing_of_how_its_gradients_are_added(whole: Whole) -> None:
    """Such as that find_unused_parameters, which model.py has not set, could be left out."""
    assert [line for line in whole.learner.lines if line.startswith("worker ")] == []


def test_killed_as_a_whole_and_then_in_part_it_ends_with_the_same_bits(whole: Whole, begin: Begin) -> None:
    gate = begin.root / "killed.gate"
    line = WAITING.format(gate=str(gate))
    first = begin("killed", 2, line)
    first.until("epoch 1 of 4")
    first.process.kill()
    first.process.wait()
    assert first.left() == []

    second = begin("killed", 2, line)
    second.until("epoch 2 of 4")
    second.kill_a_worker()
    gate.touch()
    assert second.ended() == 0, second.lines
    said = [line for line in second.lines if "goes on" in line or "anew" in line]
    assert "goes on from its checkpoint: epoch" in said[0]
    assert said[1] == "a worker died: all 2 are started anew"
    assert "goes on from its checkpoint: epoch" in said[2]
    assert second.digest == whole.learner.digest != "nothing"
    assert second.left() == []


def test_a_model_py_that_raises_in_a_worker_is_told_as_in_one_process(begin: Begin) -> None:
    raising = begin("raising", 2, "assert self.calls < 26, 'too often'")
    assert raising.ended() == 2, raising.lines
    sentence = raising.lines[-2]
    assert sentence.startswith("ModelRefused: ")
    assert "model.py: raised AssertionError: too often (line 15) in epoch 3, batch" in sentence
    assert sentence.endswith("; its last checkpoint stands")
    assert raising.left() == []

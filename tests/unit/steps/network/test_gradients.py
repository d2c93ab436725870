"""How processes that learn together come to one gradient, over gloo, and whose fault it is if they do not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("torch")


def learned(world: int, folder: Path, what: str) -> list[Any]:
    """What each process found; None of one that left nothing."""
    import torch

    script = str(Path(__file__).with_name("learning_peer.py"))
    command = [sys.executable, script]
    peers = [subprocess.Popen([*command, str(rank), str(world), str(folder), what]) for rank in range(world)]
    try:
        for peer in peers:
            peer.wait(120)
    finally:
        for peer in peers:
            peer.kill()
            peer.wait()
    files = [folder / str(rank) for rank in range(world)]
    return [torch.load(file) if file.exists() else None for file in files]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """By each of three processes, in each turn."""
    return learned(3, tmp_path_factory.mktemp("turns"), "turns")


@pytest.fixture(scope="module")
def alone() -> list[dict[str, Any]]:
    """By one process with all rows."""
    from tests.unit.steps.network.learning_peer import ROWS, layers, turns

    return turns(layers(), slice(0, ROWS), 1.0, lambda loss, _: loss.backward())


def test_each_has_the_gradient_of_one_process_with_the_whole_batch(
    found: list[list[dict[str, Any]]], alone: list[dict[str, Any]]
) -> None:
    """In turns of several micro-batches, which use different layers, some in one process alone."""
    import torch

    for mine in found:
        for turn, whole in zip(mine, alone, strict=True):
            used = {name for name, one in whole.items() if one is not None}
            assert {name for name, one in turn.items() if one is not None} == used
            for name in used:
                assert turn[name].dtype == whole[name].dtype
                torch.testing.assert_close(turn[name], whole[name], rtol=1e-5, atol=1e-6)


def test_what_no_process_used_has_no_gradient_and_what_begins_to_learn_has_one(
    found: list[list[dict[str, Any]]],
) -> None:
    for first, _, last in found:
        assert first["never.weight"] is last["never.weight"] is first["frozen.weight"] is None
        assert last["frozen.weight"].any()
        assert first["c.weight"].any()
        assert first["beside"].any()


def test_gradients_are_the_same_bits_in_each_process_and_turn(found: list[list[dict[str, Any]]]) -> None:
    """So that a training which goes on, in whose processes it is the first turn, comes to the same weights."""
    import torch

    first = found[0][0]
    for before, again, _ in found:
        for name, one in first.items():
            assert one is None or (torch.equal(before[name], one) and torch.equal(again[name], one)), name


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the first of two processes said of each fault; at the last one the second went."""
    first, second = learned(2, tmp_path_factory.mktemp("faults"), "faults")
    assert second is None
    said: dict[str, str] = first
    return said


def test_a_peer_that_goes_within_backward_is_no_fault_of_model_py(told: dict[str, str]) -> None:
    assert told["gone"].startswith("PeerLost: ")


def test_a_fault_of_model_py_within_backward_is_its_own(told: dict[str, str]) -> None:
    assert told["faulty"].startswith("ModelRefused: model.py: raised RuntimeError: a fault of its own")
    assert "in epoch 1, batch 1" in told["faulty"]


@pytest.mark.parametrize("way", ["embedding", "functional"])
def test_sparse_gradients_are_refused_with_their_remedy(way: str, told: dict[str, str]) -> None:
    said = "ModelRefused: model.py: its gradients are sparse, which workers cannot add up"
    assert told[way].startswith(said)
    assert "sparse=False" in told[way]


def test_a_checkpoint_that_enters_backward_again_is_refused_with_its_remedy(told: dict[str, str]) -> None:
    assert told["checkpointed"].startswith("ModelRefused: model.py: its backward comes to a parameter twice")
    assert "use_reentrant=False" in told["checkpointed"]


def test_a_loss_that_reaches_no_parameter_is_no_lost_peer(told: dict[str, str]) -> None:
    assert told["unreached"].startswith("ModelRefused: model.py: its loss reaches none of its parameters")
    assert "nn.ModuleList" in told["unreached"]

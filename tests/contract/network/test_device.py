"""The loop on the best device there is: a GPU where torch finds one, else the CPU; the same code and the same tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("torch")

ROWS, VALUES = 4096, 9
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.embedding = nn.Embedding({values}, 4)
        self.layers = nn.Sequential(nn.Linear(3 + 4, 32), nn.ReLU(), nn.Dropout({dropout}), nn.Linear(32, 2))

    def forward(self, numeric, categorical):
        {forward}
        return self.layers(torch.cat([numeric, self.embedding(categorical[:, 0])], dim=1))

def build(schema, **params):
    return Net(schema)
"""


@pytest.fixture(scope="module")
def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(ROWS, 3)).astype(np.float32)
    category = draw.integers(VALUES, size=ROWS)
    y = x @ [1.0, -2.0, 0.5] + (category - VALUES // 2) * 0.7 + draw.normal(size=ROWS) > 0
    return np.column_stack([x, category]).astype(np.float32), y.astype(float)


def learned(
    folder: Path, rows: tuple[Any, Any], dropout: float = 0.0, forward: str = "pass", watch: Any = None, **settings: Any
) -> Any:  # fmt: skip
    from trimtab.api.project import Training
    from trimtab.features.schema import Categorical, FeatureSchema
    from trimtab.steps.fitting.contract import built, file_source

    path = folder / "model.py"
    path.write_text(NET.format(values=VALUES, dropout=dropout, forward=forward))
    category = Categorical("d", tuple(str(value) for value in range(VALUES - 1)))
    schema = FeatureSchema(("a", "b", "c"), (category,), "binary", ("0", "1"))
    how = Training(**{"epochs": 4, "batch_rows": 64, "precision": "float32", **settings})
    x, y = rows
    network = built(file_source(path), schema, 7, how)
    return network.fit(x[:3584], y[:3584], x[3584:], y[3584:], watch=watch)


def weights(network: Any) -> dict[str, Any]:
    return {name: value.numpy() for name, value in network.module.state_dict().items()}


class CutOff(Exception):
    """Stands for whatever ends a process in mid-training."""


def test_it_learns_what_the_cpu_learns(tmp_path: Path, rows: Any, device: str) -> None:
    here, cpu = (weights(learned(tmp_path, rows, device=one)) for one in (device, "cpu"))
    for name, value in cpu.items():
        np.testing.assert_allclose(here[name], value, rtol=0, atol=2e-3, err_msg=name)


def test_bfloat16_gives_what_float32_does(tmp_path: Path, rows: Any, device: str) -> None:
    x, _ = rows
    plain, mixed = (
        learned(tmp_path, rows, device=device, precision=one, epochs=8) for one in ("float32", "bfloat16")
    )
    assert np.abs(plain.predict_proba(x) - mixed.predict_proba(x)).mean() < 0.01
    assert not np.array_equal(weights(plain)["layers.0.weight"], weights(mixed)["layers.0.weight"])


def test_the_same_training_twice_gives_the_same_bits(tmp_path: Path, rows: Any, device: str) -> None:
    once, again = (weights(learned(tmp_path, rows, dropout=0.3, device=device)) for _ in range(2))
    for name, value in once.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)


@pytest.mark.parametrize("at", [1, 3])
def test_one_that_was_cut_off_goes_on_to_the_same_weights(
    tmp_path: Path, rows: Any, device: str, at: int
) -> None:
    """To the bit, dropout's draws included: they come of the device's own generator."""
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.watch import Watch

    class Cut(Checkpoints):
        def write(self, steps: int, state: Any) -> None:
            super().write(steps, state)
            if steps == at * 56 + 30:
                raise CutOff

    how: dict[str, Any] = {"dropout": 0.3, "device": device, "checkpoint_every": "0s"}
    whole = weights(learned(tmp_path, rows, **how))
    place, said = (tmp_path / "kept", "ab" * 32), []
    with pytest.raises(CutOff):
        learned(tmp_path, rows, watch=Watch(checkpoints=Cut(*place)), **how)
    watch = Watch(say=said.append, checkpoints=Checkpoints(*place))
    resumed = weights(learned(tmp_path, rows, watch=watch, **how))
    assert said == [f"goes on from its checkpoint: epoch {at + 1}, batch 31"]
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_a_checkpoint_goes_on_on_a_machine_without_a_gpu(tmp_path: Path, rows: Any, device: str) -> None:
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.watch import Epoch, Watch

    def cut(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise CutOff

    how: dict[str, Any] = {"checkpoint_every": "0s"}
    kept = Checkpoints(tmp_path / "kept", "ab" * 32)
    with pytest.raises(CutOff):
        learned(tmp_path, rows, device=device, watch=Watch(cut, checkpoints=kept), **how)
    moved = weights(learned(tmp_path, rows, device="cpu", watch=Watch(checkpoints=kept), **how))
    for name, value in weights(learned(tmp_path, rows, device="cpu", **how)).items():
        np.testing.assert_allclose(moved[name], value, rtol=0, atol=2e-3, err_msg=name)


def test_memory_that_is_full_is_a_sentence_with_the_batch(tmp_path: Path, rows: Any, device: str) -> None:
    from trimtab.api.errors import SurroundingsFailed

    greedy = "self.held = torch.empty(10**14, device=numeric.device)"
    with pytest.raises(SurroundingsFailed, match=r"memory is full in epoch 1, batch 1") as failed:
        learned(tmp_path, rows, forward=greedy, device=device)
    assert "training.batchRows" in str(failed.value.remedy)


def test_an_epoch_tells_the_memory_of_where_it_learns(tmp_path: Path, rows: Any, device: str) -> None:
    from trimtab.steps.network.watch import Epoch, Watch

    told: list[Epoch] = []
    learned(tmp_path, rows, watch=Watch(told.append), device=device)
    on_gpu = {f"system/gpu_0_memory_usage_{unit}" for unit in ("megabytes", "percentage")}
    assert all((on_gpu <= epoch.system.keys()) == (device == "cuda") for epoch in told)
    assert all(0 < epoch.memory_mb < (100 if device == "cuda" else 100_000) for epoch in told)


def test_batches_lie_where_the_network_does_and_hold_the_same_rows(rows: Any, device: str) -> None:
    import torch

    from trimtab.steps.network.loader import Loader, MatrixBlocks

    x, y = rows
    here, cpu = (
        list(Loader(MatrixBlocks(x, y, block_rows=100, mixed=7), 96, 7, torch.device(one)).batches(2, 3))
        for one in (device, "cpu")
    )
    assert {part.device.type for batch in here for part in batch} == {device}
    for mine, theirs in zip(here, cpu, strict=True):
        assert torch.equal(mine[0].cpu(), theirs[0])
        assert torch.equal(mine[1].cpu(), theirs[1])


def test_a_graph_of_what_learned_there_answers_like_it(tmp_path: Path, rows: Any, device: str) -> None:
    import onnxruntime

    network = learned(tmp_path, rows, device=device)
    graph = network.to_onnx(4, 18)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    x, _ = rows
    answers = session.run(None, {session.get_inputs()[0].name: x[:100]})
    np.testing.assert_allclose(answers[-1], network.predict_proba(x[:100]), atol=1e-5)

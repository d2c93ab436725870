"""What the loop of training does with settings, hooks, and a model.py that is wrong."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("torch")

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.layer = nn.Linear(len(schema.numeric), max(1, len(schema.classes)))
        self.calls = 0

    def forward(self, numeric, categorical):
        self.calls += 1
        {forward}
        return self.layer(numeric)

def build(schema, **params):
    return Net(schema)
"""
ROWS = 640


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(ROWS, 3)).astype(np.float32)
    return x, (x @ [1.0, -2.0, 0.5] + draw.normal(size=ROWS) > 0).astype(float)


def learned(
    folder: Path, rows: tuple[Any, Any], model: str = "pass", after: str = "", task: str = "binary", watch: Any = None,
    validated: bool = True, **settings: Any,
) -> Any:  # fmt: skip
    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.fitting.contract import built, file_source

    path = folder / "model.py"
    path.write_text(NET.format(forward=model) + after)
    schema = FeatureSchema(("a", "b", "c"), (), task, () if task == "regression" else ("0", "1"))  # type: ignore[arg-type]  # a test's own word
    how = Training(**{"epochs": 4, "batch_rows": 64, "device": "cpu", **settings})
    source = file_source(path)
    x, y = rows
    held = (x[512:], y[512:]) if validated else ()
    return built(source, schema, 7, how).fit(x[:512], y[:512], *held, watch=watch)


def weights(network: Any) -> Any:
    return network.module.layer.weight.detach().numpy()


@pytest.mark.parametrize(
    ("model", "after", "said"),
    [
        (
            "assert self.calls < 19, 'too often'",
            "",
            r"AssertionError: too often \(line 13\) in epoch 3, batch 1",
        ),
        ("return self.layer(numeric)[:, :1]", "", r"forward answered \(64, 1\) for 64 rows and 2 outputs"),
        ("return [1]", "", "forward answered list for 64 rows"),
        (
            "return self.layer(numeric) * float('nan')",
            "",
            r"the loss is nan in epoch 1, at or before batch 1",
        ),
        ("pass", "def loss(logits, y):\n    return (logits[:, 0] - y) ** 2\n", "loss gave no single number"),
        (
            "pass",
            "def loss(logits, y):\n    return y.nothing\n",
            r"no attribute 'nothing' \(line 19\) in epoch 1",
        ),
        ("pass", "def optimizer(parameters):\n    return 3\n", "optimizer gave int"),
    ],
)
def test_a_model_py_that_is_wrong_is_told_with_line_epoch_and_batch(
    tmp_path: Path, rows: Any, model: str, after: str, said: str
) -> None:
    from trimtab.api.errors import InputRefused

    with pytest.raises(InputRefused, match=said) as refused:
        learned(tmp_path, rows, model, after)
    assert refused.value.remedy


def test_the_checkpoint_before_an_error_stands(tmp_path: Path, rows: Any) -> None:
    from trimtab.api.errors import InputRefused
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.watch import Watch

    kept = Checkpoints(tmp_path / "kept", "ab" * 32)
    with pytest.raises(InputRefused, match="in epoch 3, batch 1; its last checkpoint stands"):
        learned(
            tmp_path, rows, "assert self.calls < 19", watch=Watch(checkpoints=kept), checkpoint_every="0s"
        )
    assert kept.last()["place"]["epoch"] == 2  # type: ignore[index]  # there is one


def test_a_checkpoint_whose_weights_have_other_shapes_is_not_gone_on_from(tmp_path: Path, rows: Any) -> None:
    from trimtab.steps.network.checkpoints import Checkpoints
    from trimtab.steps.network.watch import Watch

    lines: list[str] = []
    watch = Watch(say=lines.append, checkpoints=Checkpoints(tmp_path / "kept", "ab" * 32))
    learned(tmp_path, rows, watch=watch, checkpoint_every="0s")
    x, y = rows
    import torch

    from trimtab.api.project import Training
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.network.estimator import Network

    class Wide(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, numeric: Any, categorical: Any) -> Any:
            return self.layer(numeric[:, :2])

    how = Training(epochs=1, batch_rows=64)  # type: ignore[arg-type]  # as in a file
    schema = FeatureSchema(("a", "b", "c"), (), "binary", ("0", "1"))
    Network(Wide(), schema, how, 7, "model.py", {}).fit(x, y, watch=watch)
    assert lines == [
        "model.py: its last checkpoint has weights of other shapes; it begins anew "
        "(to go on, let build make the same layers each time)"
    ]


def test_a_gpu_that_is_asked_for_and_not_there_is_a_sentence(tmp_path: Path, rows: Any) -> None:
    import torch

    from trimtab.api.errors import ExitStatus, SurroundingsFailed

    if torch.cuda.is_available():
        assert learned(tmp_path, rows, device="cuda").n_iter_ > 0
        return
    with pytest.raises(SurroundingsFailed, match=r"asks for a GPU \(cuda\)") as failed:
        learned(tmp_path, rows, device="cuda")
    assert failed.value.status is ExitStatus.SURROUNDINGS
    assert "device: auto" in str(failed.value.remedy)


def test_gradients_of_two_batches_make_the_step_of_one_twice_as_large(tmp_path: Path, rows: Any) -> None:
    fixed = {"patience": None, "clip": None, "schedule": "constant", "warmup": 0, "validated": False}
    sgd = "def optimizer(parameters):\n    return torch.optim.SGD(parameters, lr=0.1)\n"
    one = learned(tmp_path, rows, after=sgd, batch_rows=128, **fixed)
    two = learned(tmp_path, rows, after=sgd, batch_rows=64, accumulate=2, **fixed)
    np.testing.assert_allclose(weights(one), weights(two), rtol=1e-4)


def test_a_gradient_is_clipped_to_its_norm(tmp_path: Path, rows: Any) -> None:
    sgd = "def optimizer(parameters):\n    return torch.optim.SGD(parameters, lr=1.0)\n"
    fixed: dict[str, Any] = {
        "batch_rows": 512,
        "epochs": 1,
        "warmup": 0,
        "validated": False,
        "schedule": "constant",
    }
    start = weights(learned(tmp_path, rows, after=sgd.replace("1.0", "0.0"), **fixed))
    moved = weights(learned(tmp_path, rows, after=sgd, clip=0.01, **fixed)) - start
    assert 0 < np.linalg.norm(moved) <= 0.0101


def test_no_gradient_of_a_step_is_left_to_the_next_though_the_optimizer_has_a_part_alone(
    tmp_path: Path, rows: Any
) -> None:
    part = "def optimizer(parameters):\n    return torch.optim.SGD([*parameters][:1], lr=0.1)\n"
    learned(tmp_path, rows, model="assert self.layer.bias.grad is None, 'left'", after=part)


def test_it_stops_when_patience_ends_and_keeps_the_best_weights(tmp_path: Path, rows: Any) -> None:
    from trimtab.steps.network.watch import Epoch, Watch

    told: list[Epoch] = []
    network = learned(
        tmp_path,
        rows,
        watch=Watch(told.append),
        epochs=60,
        learning_rate=1.0,
        patience=2,
        schedule="constant",
    )
    assert len(told) == network.n_iter_ + 2 < 60
    best = min(told, key=lambda epoch: epoch.validation or 0)
    assert best.number == network.n_iter_
    x, y = rows
    p = network.predict_proba(x[512:])
    assert -np.log(p[np.arange(len(p)), y[512:].astype(int)]).mean() == pytest.approx(
        best.validation, rel=1e-5
    )


def test_without_patience_the_last_weights_are_kept_and_validation_is_told_all_the_same(
    tmp_path: Path, rows: Any
) -> None:
    from trimtab.steps.network.watch import Epoch, Watch

    told: list[Epoch] = []
    network = learned(tmp_path, rows, watch=Watch(told.append), epochs=6, learning_rate=1.0, patience=None)
    assert network.n_iter_ == 6
    assert all(epoch.validation and not epoch.best for epoch in told)


def test_bfloat16_learns_what_float32_does(tmp_path: Path, rows: Any) -> None:
    x, y = rows
    plain, mixed = (
        learned(tmp_path, rows, precision=one, epochs=8, learning_rate=0.05)
        for one in ("float32", "bfloat16")
    )
    right = [float(((net.predict_proba(x)[:, 1] > 0.5) == y).mean()) for net in (plain, mixed)]
    assert abs(right[0] - right[1]) < 0.03 < 0.7 < min(right)
    assert not np.array_equal(weights(plain), weights(mixed))


@pytest.mark.parametrize(("card", "capability", "mixed"), [("T4", (7, 5), False), ("A100", (8, 0), True)])
def test_auto_takes_bfloat16_where_the_gpu_has_it_and_not_where_torch_emulates_it(
    monkeypatch: pytest.MonkeyPatch, card: str, capability: tuple[int, int], mixed: bool
) -> None:
    """No such card is here: torch's questions to the driver are answered as it would answer them."""
    import torch

    from trimtab.api.training import Loop
    from trimtab.steps.network.loop import autocast

    major, minor = capability
    described = SimpleNamespace(name=card, major=major, minor=minor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: described)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)  # emulated, as on a T4
    assert torch.cuda.is_bf16_supported()
    gpu = torch.device("cuda")
    assert isinstance(autocast(Loop(precision="auto"), gpu), torch.autocast) is mixed
    assert isinstance(autocast(Loop(precision="bfloat16"), gpu), torch.autocast)  # who asks for it gets it
    assert not isinstance(autocast(Loop(precision="float32"), gpu), torch.autocast)


def test_a_regression_learns_in_the_units_of_its_target(tmp_path: Path, rows: Any) -> None:
    x, _ = rows
    y = 5_000 + 300 * x[:, 0].astype(float)
    network = learned(tmp_path, (x, y), task="regression", epochs=30, learning_rate=0.05)
    assert np.abs(network.predict(x)[:, 0] - y).mean() < 15


def test_an_own_loss_is_the_one_that_is_learned(tmp_path: Path, rows: Any) -> None:
    x, _ = rows
    late = "def loss(logits, y):\n    return nn.functional.cross_entropy(logits, y, weight=torch.tensor([1.0, 9.0]))\n"
    plain, weighted = (learned(tmp_path, rows, after=one, epochs=8, learning_rate=0.05) for one in ("", late))
    assert weighted.predict_proba(x)[:, 1].mean() > plain.predict_proba(x)[:, 1].mean() + 0.1


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_rate_rises_then_falls_and_is_never_more_than_the_highest(schedule: str) -> None:
    from trimtab.api.training import Loop
    from trimtab.steps.network.loop import rate_shape

    shape = rate_shape(Loop(schedule=schedule, warmup=0.2), 100)  # type: ignore[arg-type]  # of the parameters above
    shares = [shape(turn) for turn in range(101)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[:20] == sorted(shares[:20])
    assert shares[20:] == sorted(shares[20:], reverse=True)
    assert shares[20] == 1
    assert shares[100] == pytest.approx(1 if schedule == "constant" else 0, abs=1e-9)

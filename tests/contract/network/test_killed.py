"""A training that is killed, and goes on: the same weights to the bit, wherever it was cut off."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("torch")

DRIVER = '''
import hashlib, os, random, signal, sys
from pathlib import Path
import numpy as np
import torch
from trimtab.api.project import Training
from trimtab.features.schema import FeatureSchema
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.estimator import Network
from trimtab.steps.network.seeds import seed_all
from trimtab.steps.network.watch import Watch

torch.set_num_threads(1)
draw = np.random.default_rng(1)
x = draw.normal(size=(430, 3)).astype(np.float32)
y = (x[:, 0] * x[:, 1] + draw.normal(size=430) > 0).astype(float)
KILL = {"calls": 0, "at": -1}


class Drawing(torch.nn.Module):
    """Draws from every library's generator, and from a dropout's."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.3),
            torch.nn.Linear(16, 2))

    def forward(self, numeric, categorical):
        KILL["calls"] += 1
        if KILL["calls"] == KILL["at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        noise = random.random() * 0.1 + np.random.rand() * 0.1 if self.training else 0.0
        return self.layers(numeric * (1 + noise))


def train(folder, kill_at=-1, kill_in_write=0):
    KILL.update(calls=0, at=kill_at)
    if kill_in_write:
        real, calls = os.fsync, []
        def fsync(handle):
            calls.append(handle)
            if len(calls) == kill_in_write:
                os.kill(os.getpid(), signal.SIGKILL)
            real(handle)
        os.fsync = fsync
    seed_all(7)
    how = Training(epochs=3, batch_rows=64, accumulate=2, checkpoint_every="0s", patience=4)
    net = Network(Drawing(), FeatureSchema(("a", "b", "c"), (), "binary", ("0", "1")), how, 7, "model.py", {})
    lines = []
    watch = Watch(say=lines.append, checkpoints=Checkpoints(folder, "ab" * 32, lines.append))
    net.fit(x[:384], y[:384], x[384:], y[384:], watch)
    digest = hashlib.sha256()
    for name, value in sorted(net.module.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return f"{digest.hexdigest()} {net.n_iter_} {' / '.join(lines)}"


def child(act):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, act().encode())
        os._exit(0)
    os.close(write)
    status = os.waitpid(pid, 0)[1]
    return (f"killed by {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else os.read(read, 10000).decode())


root = Path(sys.argv[1])
train(root / "warm")  # what torch imports on first use, once for all children
print(child(lambda: train(root / "whole")))
for name, how in {
    "first": {"kill_at": 1}, "epoch 1": {"kill_at": 6}, "epoch 2": {"kill_at": 11}, "validation": {"kill_at": 7},
    "last": {"kill_at": 20}, "write": {"kill_in_write": 7}, "rename": {"kill_in_write": 8},
}.items():
    print(child(lambda: train(root / name, **how)), "|", child(lambda: train(root / name)))
twice = {"kill_at": 9}
print(child(lambda: train(root / "twice", **twice)), "|", child(lambda: train(root / "twice", **twice)), "|",
      child(lambda: train(root / "twice")))
'''


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_wherever_it_is_killed_the_weights_are_those_of_one_that_was_not(told: list[str]) -> None:
    digest, best, *_ = told[0].split()
    assert len(told) == 9
    for line in told[1:]:
        *deaths, end = line.split(" | ")
        assert set(deaths) == {"killed by 9"}
        assert end.split()[:2] == [digest, best]


def test_it_goes_on_from_the_last_step_that_was_kept(told: list[str]) -> None:
    ends = [line.split(" | ")[-1] for line in told[1:]]
    assert "goes on" not in ends[0]  # nothing was kept before the first step
    assert all("goes on from its checkpoint" in end for end in ends[1:])
    assert "epoch 1, batch 5" in ends[1]

"""A model.py that keeps what it computes, until the memory that the process may have is full."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("torch")

LEAKING = '''
import os, resource, sys
from pathlib import Path
import numpy as np
import torch
from trimtab.api.errors import SurroundingsFailed
from trimtab.api.project import Training
from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.contract import built, file_source
from trimtab.steps.network.checkpoints import Checkpoints
from trimtab.steps.network.watch import Watch

MODEL = """
import numpy as np
import torch
from torch import nn

KEPT = []

class Net(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, numeric, categorical):
        if {leaks}:
            KEPT.append({made})
        return self.layer(numeric)

def build(schema, **params):
    return Net(schema)
"""
root, made = Path(sys.argv[1]), sys.argv[2]
draw = np.random.default_rng(3)
x = draw.normal(size=(640, 3)).astype(np.float32)
y = (x[:, 0] > 0).astype(float)
schema = FeatureSchema(("a", "b", "c"), (), "binary", ("0", "1"))
how = Training(epochs=50, batch_rows=64, device="cpu", patience=None, checkpoint_every="0s")


def learned(leaks, watch):
    (root / "model.py").write_text(MODEL.format(leaks=leaks, made=made))
    built(file_source(root / "model.py"), schema, 7, how).fit(x, y, watch=watch)


learned(False, Watch())
held = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + (256 << 20), held + (256 << 20)))
kept, told = Checkpoints(root / "kept", "ab" * 32), []
memory = "system/system_memory_usage_megabytes"
try:
    learned(True, Watch(lambda epoch: told.append(epoch.system[memory]), checkpoints=kept))
except SurroundingsFailed as full:
    print(full.message)
    print(full.remedy)
print("grows:", told[-1] > told[0] + 50)
print("epochs:", len(told), kept.last()["place"]["epoch"])
'''


@pytest.mark.parametrize("made", ["np.ones(1 << 20)", "torch.ones(1 << 21)"])
def test_a_model_py_that_leaks_is_told_with_its_epoch_and_the_checkpoint_stands(
    tmp_path: Path, made: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAKING, str(tmp_path), made], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    message, remedy, grows, epochs = done.stdout.splitlines()
    _, whole, begun = epochs.split()
    assert 1 <= int(whole) < 50
    assert int(begun) == int(whole)
    assert f"model.py: memory is full in epoch {int(whole) + 1}, batch " in message
    assert message.endswith("; its last checkpoint stands")
    assert "look in model.py for tensors that are kept" in remedy
    assert grows == "grows: True"

"""What a step frees is there for the next: the system is not asked for cleared pages at each step."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("torch")

LEARNS = """
import resource
import numpy as np
import torch
from trimtab.api.project import Training
from trimtab.features.schema import FeatureSchema
from trimtab.steps.network.estimator import Network
from trimtab.steps.network.watch import Watch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(20, 128), torch.nn.ReLU(), torch.nn.Linear(128, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
        )

    def forward(self, numeric, categorical):
        return self.layers(numeric)

pages = []
def ended(epoch):
    pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

x = np.full((8 * 8192, 20), 0.5, np.float32)
y = np.arange(len(x), dtype=np.float32) % 2
schema = FeatureSchema(tuple(f"x{i}" for i in range(20)), (), "binary", ("no", "yes"))
how = Training(epochs=6, batch_rows=8192, device="cpu", patience=None)
Network(Net(), schema, how, 7, "model.py", {}).fit(x, y, watch=Watch(ended))
print(min(later - before for before, later in zip(pages, pages[1:])) // 8)
"""
PAGES_OF_A_STEP = 8192 * (128 + 64) * 4 // 4096
"""Of the outputs of the layers, once; with what ReLU and the way back need it is a few times as many."""


def test_the_pages_of_a_step_serve_the_next_too() -> None:
    ended = subprocess.run([sys.executable, "-c", LEARNS], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < PAGES_OF_A_STEP / 10

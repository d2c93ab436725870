"""The train step in a process of its own:
python learner.py ROOT NAME WORKERS [LINE OF FORWARD [WHERE [DEVICE [SECONDS OF SILENCE]]]]
WHERE is here, kuberay, or beside: as kuberay, but in Ray on this machine.

Says on standard output what the step says, and at the end the weights' digest. The model is fitted into ROOT/NAME.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.kuberay import KubeRayWorkers
from trimtab.adapters.ray import RayWorkers, whereabouts
from trimtab.api.errors import TrimtabError
from trimtab.api.project import Project
from trimtab.features.plan import LabelRule, ServingPlan
from trimtab.features.schema import Field
from trimtab.ports.tables import Content, Pointer
from trimtab.steps.fitting.fitted import FittedModel
from trimtab.steps.train import model_source, train

MODEL = """
import os
import time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(len(schema.numeric), 16), nn.Tanh(), nn.Linear(16, len(schema.classes)))
        self.calls = 0

    def forward(self, numeric, categorical):
        self.calls += 1
        {line}
        return self.layers(numeric)

def build(schema, **params):
    return Net(schema)
"""
BUCKET = "LEARNER_TABLES"
"""Environment: an address that holds the table, in place of a folder."""
READER = "LEARNER_READER"
"""Environment: `training.reader`."""
ROWS, GROUP, NAMES = 91_003, 32_768, ["a", "b", "c"]


def table(tables: DeltaTables) -> Pointer:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(ROWS, len(NAMES)))
    y = (x[:, 0] * x[:, 1] + 0.3 * draw.normal(size=ROWS) > 0).astype(float)
    number = np.arange(ROWS)
    rows = pa.table(
        {"trimtab_row": number, "trimtab_id": pa.array(number).cast(pa.string()), "trimtab_label": y}
        | {name: x[:, i] for i, name in enumerate(NAMES)}
    )
    fields = tuple(Field(name, "number") for name in NAMES)
    plan = ServingPlan(
        "small", (), ("k",), None, (), "", fields, "binary", ("no", "yes"), LabelRule("y", None, 0)
    )
    kinds = {"trimtab_row": "integer", "trimtab_id": "string", "trimtab_label": "number"}
    metadata = {"plan": plan.to_json(), "until": None, "order": "trimtab_row"}
    content = Content(
        {**kinds, **dict.fromkeys(NAMES, "number")}, rows.to_reader(GROUP), ROWS, "small", metadata, GROUP
    )
    made = tables.overwrite("small", content)
    return Pointer("small", made.version, made.rows, made.digest)


def small_project(**training: Any) -> Project:
    """Of the table, by a model.py; checkpoints at each step."""
    usual = {
        "epochs": 4, "batchRows": 8000, "checkpointEvery": "0s", "learningRate": 0.02,
        "split": {"validation": 0.1, "test": 0.1},
    }  # fmt: skip
    return Project.model_validate(
        {
            "name": "small",
            "sources": {"small": {"files": "small.csv"}},
            "examples": {"table": "small", "key": ["k"], "label": {"column": "y"}},
            "model": "model.py",
            "training": {**usual, **training},
        }
    )


def main(
    root: Path,
    name: str,
    workers: int,
    line: str = "pass",
    where: str = "here",
    device: str = "auto",
    silence_s: str = "600",
) -> None:
    code = root / f"code-{name}"
    code.mkdir(exist_ok=True)
    (code / "model.py").write_text(MODEL.format(line=line))
    project = small_project(
        workers=workers,
        where="here" if where == "here" else "kuberay",
        device=device,
        reader=os.environ.get(READER, "own"),
    )
    whereabouts.ANSWER_S = 60.0  # a busy machine's threads look late
    tables = DeltaTables(os.environ.get(BUCKET) or root / f"tables-{name}")
    source = model_source(project, code)
    apart = KubeRayWorkers(root / "tmp", begin_s=float(os.environ.get("BEGIN_S", "240")))
    train(
        project, source, table(tables), DuckEngine(tables, root / "scratch"), tables, None, root / name,
        checkpoints=root / f"checkpoints-{name}", say=said,
        workers=apart if where == "kuberay" else RayWorkers(root / "tmp", silence_s=float(silence_s)),
    )  # fmt: skip
    learned = np.concatenate([one.detach().numpy().ravel() for one in weights(root / name)])
    np.save(root / f"{name}.npy", learned)
    (root / f"{name}.ray").write_text(str("ray" in sys.modules))
    said(f"learned {hashlib.sha256(learned.tobytes()).hexdigest()}")


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def weights(folder: Path) -> list:
    return list(FittedModel.load(folder).estimator.module.parameters())


if __name__ == "__main__":
    root, name, workers, *line = sys.argv[1:]
    try:
        main(Path(root), name, int(workers), *line)
    except TrimtabError as error:
        said(f"{type(error).__name__}: {error}")
        sys.exit(int(error.status))

"""The pipeline's own train step, on a features table that does not fit into the memory that the process may have."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("torch")

LIMITED = """
import os, resource, sys
from pathlib import Path
import numpy as np
import pyarrow as pa
import torch
from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.api.project import Project
from trimtab.features.plan import LabelRule, ServingPlan
from trimtab.features.schema import Field
from trimtab.ports.tables import Content, Pointer
from trimtab.steps.train import model_source, train

pa.set_memory_pool(pa.system_memory_pool())
root, names, batch = Path(sys.argv[1]), [f"x{i}" for i in range(60)], 32_768
in_folder, tables = "://" not in sys.argv[2], DeltaTables(sys.argv[2])
draw = np.random.default_rng(1)
x = draw.integers(0, 200, size=(batch, 60)).astype(np.float64)
kinds = {"trimtab_row": "integer", "trimtab_id": "string", "trimtab_label": "number", **dict.fromkeys(names, "number")}
plan = ServingPlan("wide", (), ("k",), None, (), "", tuple(Field(name, "number") for name in names), "binary",
                   ("no", "yes"), LabelRule("y", None, 0.0))


def written(name, batches):
    def rows():
        for i in range(batches):
            number = np.arange(i * batch, (i + 1) * batch)
            yield pa.record_batch({"trimtab_row": number, "trimtab_id": pa.array(number).cast(pa.string()),
                                   "trimtab_label": (x[:, 0] > 99).astype(float),
                                   **{column: x[:, j] for j, column in enumerate(names)}})
    schema = next(rows()).schema
    content = Content(kinds, pa.RecordBatchReader.from_batches(schema, rows()), batches * batch, name,
                      {"plan": plan.to_json(), "until": None, "order": "trimtab_row"}, batch)
    made = tables.overwrite(name, content)
    return Pointer(name, made.version, made.rows, made.digest)


project = Project.model_validate({
    "name": "wide", "sources": {"wide": {"files": "wide.csv"}},
    "examples": {"table": "wide", "key": ["k"], "label": {"column": "y"}},
    "model": {"family": "mlp", "params": {"hidden": [8], "dropout": 0.0}},
    "training": {"epochs": 1, "batchRows": 4096, "patience": None, "split": {"validation": 0.05, "test": 0.05}},
})


def trained(pointer):
    engine = DuckEngine(tables, root / "scratch")
    return train(project, model_source(project, root), pointer, engine, tables, None, root / "made" / pointer.table)


big, warm = written("big", 44), written("warm", 2)
trained(warm)
held = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
spare = 288 << 20
files = tables.files("big", big.version)
table_bytes = big.rows * 60 * 8
resource.setrlimit(resource.RLIMIT_DATA, (held + spare, held + spare))
print("times the limit:", table_bytes / spare > 2.2)
child = os.fork() if in_folder else None
if child == 0:
    try:
        import pyarrow.parquet as pq
        pa.concat_tables([pq.read_table(file, use_threads=False) for file in files])
    except (MemoryError, pa.ArrowMemoryError):
        os._exit(9)
    os._exit(0)
if in_folder:
    print("the whole table does not fit:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9)
done = trained(big)
print("rows:", sum(done.rows.values()) == big.rows)
print("right:", done.metrics["roc_auc"] > 0.95)
"""


def learn_in_little_memory(root: Path, tables: str) -> list[str]:
    """What a process of its own says of it, with its tables in that folder or at that address."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(root), tables], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_train_step_learns_from_a_table_larger_than_its_memory(tmp_path: Path) -> None:
    assert learn_in_little_memory(tmp_path, str(tmp_path / "tables")) == [
        "times the limit: True",
        "the whole table does not fit: True",
        "rows: True",
        "right: True",
    ]

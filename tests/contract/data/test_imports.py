"""What the data steps import: DuckDB, Delta and Arrow, and nothing heavier."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("data")

SCRIPT = """
import sys
from pathlib import Path
from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.files import LocalFiles
from trimtab.api.sources import Source
from trimtab.steps.ingest import ingest
from trimtab.steps.order import TableSql
from trimtab.steps.tables import build
from trimtab.steps.validate import validate

root = Path(sys.argv[1])
tables = DeltaTables(root / "tables")
engine = DuckEngine(tables, root / "tmp")
load = {"mode": "incremental", "watermark": "at", "key": ["id"]}
source = Source.model_validate({"files": "a.csv", "load": load})
for _ in range(2):
    done = ingest("s", source, files=LocalFiles(root, root / "tmp"), engine=engine, tables=tables)
build({"t": TableSql("t.sql", "select * from s")}, {"s": done.pointer}, engine=engine, tables=tables)
print(sorted({"pandas", "polars", "sklearn", "mlflow", "feast", "kfp", "torch"} & set(sys.modules)))
"""


def test_no_data_step_imports_pandas_or_anything_heavier(workshop):
    workshop.write("a.csv", "id,at\n1,2013-01-01T00:00:00Z\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(workshop.root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr

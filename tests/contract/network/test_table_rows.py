"""Rows read from Parquet: more than memory holds, any part of them, and what is said of a file that is gone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("torch")

LIMITED = """
import os, resource, sys
from pathlib import Path
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from trimtab.adapters.parquet import ParquetBlocks
from trimtab.api.project import Training
from trimtab.features.schema import FeatureSchema
from trimtab.steps.network.estimator import Network
from trimtab.steps.network.mlp import Mlp

pa.set_memory_pool(pa.system_memory_pool())
folder, columns, groups, rows = Path(sys.argv[1]), [f"x{i}" for i in range(24)], 60, 32_768
draw = np.random.default_rng(1)
x = draw.normal(size=(rows, 24)).astype(np.float32)
part = pa.table({**{name: x[:, i] for i, name in enumerate(columns)}, "y": (x[:, 0] > 0).astype(np.float32)})
with pq.ParquetWriter(folder / "wide.parquet", part.schema, compression="none", use_dictionary=False) as writer:
    for _ in range(groups):
        writer.write_table(part)


def made(table):
    matrix = np.column_stack([table.column(name).to_numpy() for name in columns])
    return matrix, table.column("y").to_numpy()


def learned(files, epochs):
    schema = FeatureSchema(tuple(columns), (), "binary", ("0", "1"))
    how = Training(epochs=epochs, batch_rows=4096, patience=None)
    blocks = ParquetBlocks(files, [*columns, "y"], made, mixed_rows=65_536)
    return Network(Mlp(schema, hidden=[8], dropout=0.0), schema, how, 7, "mlp", {}).fit_blocks(blocks, None), blocks


pq.write_table(part, folder / "warm.parquet")
learned([str(folder / "warm.parquet")], 1)
held = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
spare = 64 << 20
table_bytes = groups * part.nbytes
assert table_bytes > 2.5 * spare
resource.setrlimit(resource.RLIMIT_DATA, (held + spare, held + spare))
child = os.fork()
if child == 0:
    try:
        pq.read_table(folder / "wide.parquet", use_threads=False)
    except (MemoryError, pa.ArrowMemoryError):
        os._exit(9)
    os._exit(0)
print("the whole table does not fit:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9)
network, blocks = learned([str(folder / "wide.parquet")], 1)
print(sum(blocks.counts), "rows,", round(table_bytes / spare, 1), "times what the limit leaves")
print("right:", float((network.predict_proba(x)[:, 1].round() == (x[:, 0] > 0)).mean()) > 0.95)
"""


def test_a_table_larger_than_the_memory_limit_is_learned_from(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the whole table does not fit: True",
        "1966080 rows, 2.9 times what the limit leaves",
        "right: True",
    ]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = []
    for part in range(3):
        ids = [part * 100 + i for i in range(100)]
        made.append(str(tmp_path / f"{part}.parquet"))
        pq.write_table(pa.table({"id": ids, "other": ids}), made[-1], row_group_size=30)
    return made


def blocks_of(files: list[str], **more: Any) -> Any:
    from trimtab.adapters.parquet import ParquetBlocks

    return ParquetBlocks(files, ["id"], lambda table: (table.column_names, table["id"].to_pylist()), **more)


def test_a_block_is_a_row_group_and_chosen_rows_are_counted_before_any_is_read(files: list[str]) -> None:
    import numpy as np

    whole = blocks_of(files, mixed_rows=100)
    assert list(whole.counts) == [30, 30, 30, 10] * 3
    assert whole.mixed == 3
    assert whole.read(4) == (["id"], list(range(100, 130)))
    chosen = np.arange(300) % 7 == 0
    chosen[30:60] = False
    some = blocks_of(files, chosen=chosen)
    read = [some.read(block)[1] for block in range(len(some.counts))]
    assert [len(rows) for rows in read] == list(some.counts)
    assert [row for rows in read for row in rows] == np.flatnonzero(chosen).tolist()


def test_a_file_that_is_gone_or_damaged_is_a_sentence(files: list[str]) -> None:
    from trimtab.api.errors import InputRefused, SurroundingsFailed

    blocks = blocks_of(files)
    Path(files[1]).unlink()
    with pytest.raises(InputRefused, match=r"1\.parquet of the table is gone: .* vacuumed"):
        blocks.read(5)
    Path(files[0]).write_bytes(b"PAR1 no more")
    with pytest.raises(SurroundingsFailed, match=r"0\.parquet: cannot be read"):
        blocks.read(0)

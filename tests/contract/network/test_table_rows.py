"""Rows read from Parquet: any part of them in their order, and what is said of files that are gone or wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.api.errors import InputRefused, SurroundingsFailed


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """300 rows whose row groups lie in another order than their numbers, as threads write them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = []
    batches = np.random.default_rng(5).permutation(np.arange(300).reshape(30, 10))
    for part in range(3):
        made.append(str(tmp_path / f"{part}.parquet"))
        numbers = batches[part * 10 : part * 10 + 10].ravel()
        table = pa.table({"number": numbers, "id": [f"k{i}" for i in numbers], "other": numbers})
        pq.write_table(table, made[-1], row_group_size=30)
    return made


def numbered(files: list[str]) -> Any:
    from trimtab.adapters.parquet import ParquetRows

    return ParquetRows(files, "number")


@pytest.mark.parametrize(("first", "last"), [(0, 300), (0, 1), (30, 60), (7, 193), (290, 400)])
def test_any_rows_come_in_their_order_whatever_the_files_order(
    files: list[str], first: int, last: int
) -> None:
    held = numbered(files)
    assert held.rows == 300
    table = held.read(first, last, ["id"])
    assert table.column_names == ["id"]
    assert table.column("id").to_pylist() == [f"k{i}" for i in range(first, min(last, 300))]


def test_a_file_that_is_gone_or_damaged_is_a_sentence(files: list[str]) -> None:
    held = numbered(files)
    Path(files[1]).unlink()
    with pytest.raises(InputRefused, match=r"1\.parquet of the table is gone: .* vacuumed"):
        held.read(0, 300, ["id"])
    Path(files[0]).write_bytes(b"PAR1 no more")
    with pytest.raises(SurroundingsFailed, match=r"0\.parquet: cannot be read"):
        held.read(0, 300, ["id"])


def test_rows_that_are_missing_are_a_sentence_and_not_fewer_rows(files: list[str]) -> None:
    held = numbered(files[:2])
    with pytest.raises(SurroundingsFailed, match="not numbered without gaps by 'number' from 0 to 200"):
        held.read(0, 200, ["id"])

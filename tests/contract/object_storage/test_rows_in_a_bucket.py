"""Rows read from a bucket: as much of a file as is asked for, and what is said of files that are gone or wrong."""

from typing import Any

import numpy as np
import pytest

from tests.contract.object_storage.conftest import Lake
from tests.contract.s3_server import S3Server
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.tables import Content

pytestmark = pytest.mark.xdist_group("bucket")
ROWS, GROUP, WIDE = 120_000, 10_000, 20


def written(tables: Any) -> Any:
    """Twelve row groups of twenty columns of noise: about 19 MB."""
    import pyarrow as pa

    draw = np.random.default_rng(3)
    columns = {f"x{i}": draw.random(ROWS) for i in range(WIDE)}
    table = pa.table({"row": np.arange(ROWS), **columns})
    kinds = {"row": "integer", **dict.fromkeys(columns, "number")}
    return tables.overwrite(
        "wide", Content(kinds, table.to_reader(GROUP), ROWS, "d", {"order": "row"}, GROUP)
    )


def test_of_a_row_group_only_the_columns_that_are_asked_for_are_fetched(lake: Lake) -> None:
    from trimtab.adapters.object_store import opened

    made = written(lake.tables)
    held = lake.tables.numbered("wide", made.version, "row")
    lake.proxy.told()
    part = held.read(5 * GROUP, 6 * GROUP, ["x3", "x4", "x5"])
    asked = 4 * GROUP * 8  # three columns and the numbers
    assert part.num_rows == GROUP
    told = lake.proxy.told()
    assert asked * 0.9 < told["served"] < asked * 1.3, "of about 2 MB"
    assert told["requests"] == 2, "the numbers, and three neighbours by one request"
    assert held.read(0, ROWS, [f"x{i}" for i in range(WIDE)]).num_rows == ROWS
    whole = sum(opened(file).size() for file in lake.tables.files("wide", made.version))
    assert lake.proxy.told()["served"] <= whole, "no byte comes twice"


def test_a_file_that_is_gone_or_damaged_is_a_sentence(lake: Lake, s3_server: S3Server) -> None:
    from pyarrow import fs

    tables = lake.tables
    held = tables.numbered("wide", written(tables).version, "row")
    key = tables.files("wide", 0)[0].removeprefix("s3://")
    other = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{s3_server.port}", scheme="http")
    with other.open_output_stream(key) as stream:
        stream.write(b"PAR1 no more")
    with pytest.raises(SurroundingsFailed, match=r"\.parquet: cannot be read"):
        held.read(0, 10, ["x0"])
    other.delete_file(key)
    with pytest.raises(
        InputRefused, match=r"\.parquet of the table is gone: .* vacuumed\n  remedy: run again"
    ):
        held.read(0, 10, ["x0"])
    with pytest.raises(InputRefused, match="vacuumed"):
        tables.numbered("wide", 0, "row")


def test_threads_that_read_one_file_at_once_each_get_their_own_rows(lake: Lake) -> None:
    from concurrent.futures import ThreadPoolExecutor

    held = lake.tables.numbered("wide", written(lake.tables).version, "row")

    def read(first: int) -> list[int]:
        return list(held.read(first, first + 2 * GROUP, ["row", "x3"]).column("row").to_pylist())

    firsts = [at for at in range(0, ROWS - 2 * GROUP, GROUP // 2) for _ in range(2)]
    with ThreadPoolExecutor(6) as pool:
        for first, found in zip(firsts, pool.map(read, firsts), strict=True):
            assert found == list(range(first, first + 2 * GROUP))

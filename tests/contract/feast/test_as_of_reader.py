"""The as-of reader over tables made to trap it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("feast")

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    import deltalake
    import pyarrow as pa

    from trimtab.adapters.feast.as_of_reader import DeltaAddress, as_of
    from trimtab.features.plan import PlannedColumn, PlannedView

    def call(
        rows: list[tuple[Any, datetime | None, float | None]],
        asked: list[tuple[Any, datetime]],
        *,
        timed: bool = True,
        max_age_s: float | None = None,
        kind: str = "string",
    ) -> list[Any]:
        key = pa.string() if kind == "string" else pa.int64()
        stamp = pa.timestamp("us", tz="UTC")
        table = pa.table(
            {
                "key": pa.array([row[0] for row in rows], key),
                "at": pa.array([row[1] for row in rows], stamp),
                "value": pa.array([row[2] for row in rows], pa.float64()),
            }
        )
        path = str(tmp_path / "table")
        deltalake.write_deltalake(path, table, mode="overwrite")
        view = PlannedView(
            "v", ("key",), "at" if timed else None, max_age_s, (PlannedColumn("value", "x", "number"),)
        )
        examples = pa.table(
            {
                "trimtab_row": list(range(len(asked))),
                "trimtab_time": pa.array([time for _, time in asked], stamp),
                "key": pa.array([one for one, _ in asked], pa.string() if kind == "string" else pa.float64()),
            }
        )
        answer = as_of(examples, [view], {"v": DeltaAddress(path)}, {"key": kind})
        assert answer.column("trimtab_row").to_pylist() == list(range(len(asked)))
        found: list[Any] = answer.column("x").to_pylist()
        return found

    return call


def test_the_newest_row_not_after_the_example_is_read(read: Any) -> None:
    rows = [("a", NOON - 2 * HOUR, 1.0), ("a", NOON, 2.0), ("a", NOON + HOUR, 3.0)]
    asked = [("a", NOON - 3 * HOUR), ("a", NOON - HOUR), ("a", NOON), ("a", NOON + 9 * HOUR)]
    assert read(rows, asked) == [None, 1.0, 2.0, 3.0]


def test_max_age_counts_its_own_edge_in(read: Any) -> None:
    rows = [("a", NOON, 1.0)]
    asked = [("a", NOON + HOUR), ("a", NOON + HOUR + timedelta(microseconds=1))]
    assert read(rows, asked, max_age_s=3600.0) == [1.0, None]


def test_null_keys_and_unknown_ones_find_nulls_and_lose_no_row(read: Any) -> None:
    rows = [("a", NOON, 1.0), (None, NOON, 9.0), ("", NOON, 8.0), ("a", None, 7.0)]
    asked = [(None, NOON), ("", NOON), ("b", NOON), ("a", NOON), ("a", NOON)]
    assert read(rows, asked) == [None, None, None, 1.0, 1.0]


def test_a_newer_null_value_is_a_value(read: Any) -> None:
    rows = [("a", NOON - HOUR, 1.0), ("a", NOON, None)]
    assert read(rows, [("a", NOON)]) == [None]


@pytest.mark.parametrize("timed", [True, False])
def test_rows_with_one_key_and_time_answer_alike_in_any_order(read: Any, timed: bool) -> None:
    rows = [("a", NOON, 1.0), ("a", NOON, 3.0), ("a", NOON, None), ("a", NOON, 2.0)]
    assert read(rows, [("a", NOON)] * 2, timed=timed) == [3.0, 3.0]
    assert read(rows[::-1], [("a", NOON)] * 2, timed=timed) == [3.0, 3.0]


def test_whole_numbers_match_their_decimals(read: Any) -> None:
    assert read([(7, NOON, 1.0)], [(7.0, NOON), (7.5, NOON), (None, NOON)], kind="number") == [
        1.0,
        None,
        None,
    ]


def test_an_empty_table_finds_nulls(read: Any) -> None:
    assert read([], [("a", NOON)]) == [None]

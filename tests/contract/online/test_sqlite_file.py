"""The packed store's file."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from trimtab.adapters.online import SqliteOnlineStore
from trimtab.api.errors import SurroundingsFailed


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_text("not a database, for sure" * 100)
    with pytest.raises(SurroundingsFailed, match=r"online\.db: the online store cannot be used"):
        SqliteOnlineStore(tmp_path / "online.db")


def test_two_stores_hold_the_same_bytes_for_the_same_rows(tmp_path: Path) -> None:
    times = np.array(["2013-01-01T10:00"], "datetime64[us]")
    contents = []
    for name in ("one", "two"):
        store = SqliteOnlineStore(tmp_path / name)
        if name == "two":
            store.write("weather", {"temp": "number"}, ["EWR"], times, {"temp": np.array([0.0])})
        columns = {"wind": np.array([2.0]), "temp": np.array([1.0])}
        kinds = (
            {"wind": "number", "temp": "number"} if name == "one" else {"temp": "number", "wind": "number"}
        )
        store.write("wide", kinds, ["JFK"], times, columns)  # type: ignore[arg-type]
        store.close()
        with sqlite3.connect(tmp_path / name) as connection:
            contents.append(connection.execute("select * from latest where view = 'wide'").fetchall())
    assert contents[0] == contents[1]

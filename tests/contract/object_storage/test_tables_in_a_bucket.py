"""Delta tables in a bucket: versions, writers that meet, SQL over them, and what is said when the storage fails."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.contract.object_storage.conftest import Lake
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.tables import Content, Pointer

pytestmark = pytest.mark.xdist_group("bucket")


def content(first: int, last: int, rows: int | None = None) -> Content:
    import pyarrow as pa

    table = pa.table({"row": range(first, last), "half": [i / 2 for i in range(first, last)]})
    kinds = {"row": "integer", "half": "number"}
    held = last if rows is None else rows
    return Content(kinds, table.to_reader(10), held, f"of {held}", {"order": "row"}, 10)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No storage is waited for longer than four seconds."""
    from trimtab.adapters.object_store import store

    store._client.cache_clear()
    monkeypatch.setattr(store, "RETRY_FOR_S", 4)
    yield
    store._client.cache_clear()


def test_versions_are_written_named_and_read_back(lake: Lake, tmp_path: Path) -> None:
    from trimtab.adapters.duckdb import DuckEngine

    tables = lake.tables
    assert (tables.names(), tables.head("a"), tables.cut("a", "row", 3)) == ([], None, None)
    first = tables.overwrite("_features/a", content(0, 100))
    second = tables.replace_from("_features/a", "row", 90, content(90, 120, 120), base=first.version)
    tables.overwrite("b", content(0, 5))
    assert tables.names() == ["_features/a", "b"]
    assert (second.version, tables.head("_features/a"), tables.at("_features/a", 0)) == (1, second, first)
    assert all(file.startswith(f"{lake.address}/_features/a/") for file in tables.files("_features/a", 1))
    engine = DuckEngine(tables, tmp_path / "scratch")
    with engine.session() as session:
        session.mount("before", Pointer("_features/a", 0, 100, first.digest))
        session.mount("now", Pointer("_features/a", 1, 120, second.digest, filter="row >= 80"))
        assert session.rows("select count(*), sum(row) from before") == [(100, 4950)]
        assert session.rows("select count(*), min(row), max(row) from now") == [(40, 80, 119)]
    assert list((tmp_path / "scratch").iterdir()) == [], "copies of files go with the session"


def test_of_writers_that_meet_one_commits_and_the_others_say_so(lake: Lake) -> None:
    lake.tables.overwrite("held", content(0, 10))

    def write(name: str, base: int | None, last: int) -> object:
        try:
            return lake.tables.overwrite(name, content(0, last), base=base)
        except SurroundingsFailed as error:
            return error

    for name, base in (("new", None), ("held", 0)):
        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(partial(write, name, base), range(10, 16)))
        failed = [one for one in done if isinstance(one, SurroundingsFailed)]
        assert all("another run " in str(one) for one in failed), failed
        assert len(failed) < len(done)
        newest = lake.tables.head(name)
        assert newest in done, "each version is what one of them wrote, and no mixture"
        assert sum(_rows(file) for file in lake.tables.files(name, newest.version)) == newest.rows
        if base is not None:
            assert len(failed) == len(done) - 1


def _rows(file: str) -> int:
    import pyarrow.parquet as pq

    from trimtab.adapters.object_store import opened

    return int(pq.read_metadata(opened(file)).num_rows)


def test_a_storage_that_stumbles_is_asked_again(lake: Lake) -> None:
    lake.proxy.harm(503, None, 0, None)
    made = lake.tables.overwrite("a", content(0, 100))
    held = lake.tables.numbered("a", made.version, "row")
    assert held.read(40, 60, ["half"]).column("half").to_pylist() == [i / 2 for i in range(40, 60)]
    assert lake.proxy.told()["harmed"] >= 5


@pytest.mark.usefixtures("brief")
def test_a_storage_that_is_gone_is_a_sentence_and_leaves_the_last_version(lake: Lake) -> None:
    made = lake.tables.overwrite("a", content(0, 100))
    held = lake.tables.numbered("a", made.version, "row")
    down = lake.tables
    lake.proxy.harm(503, methods=["PUT"])
    with pytest.raises(SurroundingsFailed, match=r"503 Service Unavailable, after .* tries") as caught:
        down.overwrite("a", content(0, 3), base=0)
    assert "goes on from its last checkpoint" in str(caught.value)
    lake.proxy.harm(0)
    asked = (lambda: down.head("a"), down.names, lambda: held.read(0, 10, ["half"]))
    for ask in asked:
        with pytest.raises(SurroundingsFailed, match=f"{lake.address}.* cannot be reached: "):
            ask()
    lake.proxy.harm()
    assert lake.tables.head("a") == made
    assert held.read(0, 3, ["row"]).column("row").to_pylist() == [0, 1, 2]


def test_a_bucket_that_is_not_there_and_credentials_that_are_wrong_are_sentences(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.delta import DeltaTables

    made = lake.tables.overwrite("a", content(0, 10))
    elsewhere = DeltaTables("s3://no-such-bucket/flights")
    for ask in (
        lambda: elsewhere.head("a"),
        elsewhere.names,
        lambda: elsewhere.overwrite("a", content(0, 1)),
    ):
        with pytest.raises(InputRefused, match="there is no bucket s3://no-such-bucket\n  remedy: make it"):
            ask()
    for name, value, said in (
        ("AWS_SECRET_ACCESS_KEY", "another", "s3://lake refuses these credentials .*SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "nobody", "s3://lake refuses these credentials .*InvalidAccessKeyId"),
        ("AWS_ACCESS_KEY_ID", None, "s3://lake: this process has no credentials for it"),
    ):
        with monkeypatch.context() as wrong:
            wrong.delenv(name) if value is None else wrong.setenv(name, value)
            with pytest.raises(SurroundingsFailed, match=said):
                lake.tables.head("a")
            with pytest.raises(SurroundingsFailed, match=r"refuses these|no credentials"):
                lake.tables.numbered("a", made.version, "row")
            with pytest.raises(SurroundingsFailed, match=r"refuses these|no credentials"):
                lake.tables.names()


def test_a_table_that_was_written_there_is_read_from_there_alone(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a table in a bucket is left on this machine, not so much as an empty folder."""
    monkeypatch.chdir(tmp_path)
    lake.tables.overwrite("a", content(0, 10))
    assert lake.tables.numbered("a", 0, "row").rows == 10
    assert list(tmp_path.iterdir()) == []

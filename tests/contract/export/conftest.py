"""Real flights, featurized once; a workshop of its own for tests that write."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from learning_workshop import Workshop, empty_workshop, flights_workshop


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return flights_workshop(tmp_path_factory.mktemp("learning"))


@pytest.fixture(scope="session")
def featurized(flights: Workshop) -> Any:
    return flights.featurize()


@pytest.fixture(scope="session")
def trained(flights: Workshop, featurized: Any) -> Path:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.train import model_source, train

    folder = flights.root / "trained"
    project = flights.project()
    source = model_source(project, flights.root)
    train(project, source, featurized.pointer, flights.engine, flights.tables, None, folder)
    evaluate(
        project,
        folder,
        featurized.pointer,
        flights.engine,
        flights.tables,
        None,
        flights.root / "report.html",
    )
    return folder


@pytest.fixture(scope="session")
def refitted(flights: Workshop, featurized: Any, trained: Path) -> Any:
    from trimtab.steps.refit import refit
    from trimtab.steps.train import model_source

    project = flights.project()
    source = model_source(project, flights.root)
    folder = flights.root / "refitted"
    return refit(project, source, trained, featurized.pointer, flights.tables, folder)


@pytest.fixture
def small(tmp_path: Path) -> Workshop:
    return empty_workshop(tmp_path)

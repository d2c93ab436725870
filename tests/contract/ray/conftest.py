"""Learners that end with the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.ray.learners import Begin, Learner


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ray")


@pytest.fixture(scope="module")
def begin(root: Path) -> Iterator[Begin]:
    started: list[Learner] = []
    yield Begin(root, started)
    for learner in started:
        learner.kill()

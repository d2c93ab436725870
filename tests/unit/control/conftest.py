"""A loop over a small world."""

import pytest

from tests.unit.control.stage import Stage


@pytest.fixture(scope="session")
def make_stage() -> type[Stage]:
    return Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()

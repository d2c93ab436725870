"""What holds for the whole suite."""

import sys

import pytest

AFTER_COLLECTION = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[AFTER_COLLECTION] = frozenset(name.partition(".")[0] for name in sys.modules)


@pytest.fixture
def loaded_by_collection(pytestconfig: pytest.Config) -> frozenset[str]:
    """First parts of the names of all modules that were loaded when collecting was done."""
    return pytestconfig.stash[AFTER_COLLECTION]

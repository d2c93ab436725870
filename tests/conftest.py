"""What holds for the whole suite."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Before gRPC is loaded: its handlers of a fork start its threads anew in a child that has yet to become another
# program, and where this process holds a channel they ended one in a hundred of those (once an etcd).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

settings.register_profile("any-machine", deadline=None)  # a busy one takes longer, and finds the same
settings.load_profile("any-machine")
AFTER_COLLECTION = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[AFTER_COLLECTION] = frozenset(name.partition(".")[0] for name in sys.modules)


@pytest.fixture
def loaded_by_collection(pytestconfig: pytest.Config) -> frozenset[str]:
    """First parts of the names of all modules that were loaded when collecting was done."""
    return pytestconfig.stash[AFTER_COLLECTION]


@pytest.fixture(autouse=True)
def own_platform() -> Iterator[None]:
    """A test that chooses a platform in this process, as a command does in its own, chooses it for itself alone."""
    before = os.environ.get("TRIMTAB_PLATFORM")
    yield
    if before is None:
        os.environ.pop("TRIMTAB_PLATFORM", None)
    else:
        os.environ["TRIMTAB_PLATFORM"] = before

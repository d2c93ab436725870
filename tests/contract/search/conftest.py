"""A world of its own for each search."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from search_world import World, some_rows


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, some_rows())

"""Fixtures of a real collector process."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from collector_process import Process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    begun: list[Process] = []

    def begin(folder: str = "log", *arguments: str, before: Callable[[], None] | None = None) -> Process:
        begun.append(Process(tmp_path / folder, arguments, before).start())
        return begun[-1]

    yield begin
    for process in begun:
        if process.child.poll() is None:
            process.child.kill()
        process.child.wait()
        if process.child.stderr:
            process.child.stderr.close()
        process.reserved.close()


@pytest.fixture
def profile() -> bytes:
    """A profile with two features and a label that is mature after a day."""
    from trimtab.drift.profile import ColumnProfile, LabelRule, Profile
    from trimtab.sketch import Grid, empty

    grids = [Grid("distance", "number", centre=200.0, scale=100.0, bits=16), Grid("carrier", "category")]
    columns = {grid.column: ColumnProfile(empty(grid), group) for group, grid in enumerate(grids)}
    rule = LabelRule("late", "known_at", mature_after_s=86_400)
    return Profile(columns, rows=0, label=rule, time_zone="America/New_York").to_bytes()

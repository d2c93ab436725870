"""The operator dies before, or after, any single write of a retraining: one run takes effect, at the same end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.settings import PLAYED

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.machine import Machine
    from tests.cluster.control_plane.faults.retraining import Retraining
    from tests.cluster.control_plane.faults.settings import Setting
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

    Told = Callable[[str, int, bool], tuple[str, Retraining]]

pytestmark = pytest.mark.xdist_group("faults")
AT_ONCE = 6
SETTINGS = PLAYED[-1:]
"""Our own server here; the others with the node's tests."""


@pytest.fixture
def told(harmed_plane: "ControlPlane", machine: "Machine", setting: "Setting", tmp_path: Path) -> "Told":
    """Tells the story over an engine with the operator killed at a write; (how it ended, what it was)."""
    from tests.cluster.control_plane.faults.engines import Fate
    from tests.cluster.control_plane.faults.flights import Recording
    from tests.cluster.control_plane.faults.retraining import DECISIVE
    from tests.cluster.control_plane.faults.telling import retraining

    recording = Recording.load()

    def tell(engine: str, at: int, after: bool) -> "tuple[str, Retraining]":
        with retraining(harmed_plane, machine, tmp_path, recording, engine, Fate(), setting) as stage:
            stage.writes.at, stage.writes.after = at, after
            try:
                stage.episode(DECISIVE)
            except AssertionError as error:
                return f"it stops: {error}", stage
            going = [run for run, how in stage.engine.all().items() if how == "going"]
            holders = len(stage.effects)
            return f"{stage.end()!r}, going {going}, {holders} took effect", stage

    return tell


@pytest.mark.parametrize("engine", ["Job", "KFP"])
def test_killed_before_or_after_any_write_the_end_is_the_same(
    told: "Told", engine: str, fault: "Row"
) -> None:
    fault.says(
        f"operator killed before and after every single write of a retraining ({engine})",
        "same end; one effective run",
    )
    expected, unharmed = told(engine, -1, False)
    assert unharmed.outcomes == ["Refused", "Refused", "Promoted"], expected
    assert len(unharmed.engine.all()) == len(unharmed.effects) == len(unharmed.attempts)
    # Dead after one write is dead before the next: of the process nothing is left, and nobody else acts in between.
    kills = [(0, False), *((at, True) for at in range(len(unharmed.writes.done)))]
    assert len(kills) > 20
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda kill: told(engine, *kill), kills))
    fault.cases(len(kills))
    assert {stage.restarts for _, stage in ends} == {2}
    wrong = {
        f"{'after' if after else 'before'} {at} {unharmed.writes.done[at]}": end
        for (at, after), (end, _) in zip(kills, ends, strict=True)
        if end != expected
    }
    assert not wrong, f"expected {expected}"


def test_undisturbed_it_decides_as_the_loop_on_one_machine_did(told: "Told") -> None:
    from tests.cluster.control_plane.faults.flights import Recording

    recording, (how, stage) = Recording.load(), told("Job", -1, False)
    assert "stops" not in how
    (episode,) = stage.monitor["episodes"]
    assert {key: episode[key] for key in recording.alarm} == dict(recording.alarm)
    wanted = ("arming", "claimedAt", "outcome", "version", "labelled", "because")
    assert [{key: one[key] for key in wanted} for one in stage.attempts] == list(recording.armings)

"""The operator dies before, or after, any single write: it ends where an unharmed one ends.

In every setting: tests/cluster/node/faults.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults.settings import PLAYED

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]
    Story = Callable[[Stage], None]

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = PLAYED[1:2]
AT_ONCE = 6


def promoted(stage: "Stage") -> None:
    """From the first apply to the end of `keepPrevious` after a good candidate."""
    stage.serve_first()
    stage.wish("2")
    stage.until("the second is promoted", lambda: stage.stable == stage.revision("2") and stage.settled)


def refused(stage: "Stage") -> None:
    """A bad candidate, from its wish until its server is gone. Its writes are counted from the wish on."""
    planned, stage.writes.at = stage.writes.at, -1
    stage.evidence.errors[stage.revision("2")] = 0.5
    stage.serve_first()
    stage.writes.count_anew()
    stage.writes.at = planned
    stage.wish("2")
    stage.until("the second is refused", lambda: stage.refused(stage.revision("2")) and stage.settled)


STORIES = (promoted, refused)


def ended(make: "Make", story: "Story", at: int, after: bool) -> str:
    """How a run ended that was killed there; "" for one that was not."""
    stage = make()
    stage.writes.at, stage.writes.after = at, after
    try:
        story(stage)
    except AssertionError as error:
        return f"killed {'after' if after else 'before'} write {at} ({stage.killed_at}): {error}"
    assert stage.restarts == 2, f"there was no write {at}"
    return f"{stage.end()!r}".replace(stage.namespace, "NAMESPACE")


@pytest.mark.parametrize("story", STORIES)
def test_killed_before_or_after_any_write_the_end_is_the_same(
    make_stage: "Make", story: "Story", fault: "Row"
) -> None:
    what = "promoted" if story is promoted else "rolled back"
    fault.says(
        f"operator killed before and after every single write ({what})",
        "same end; never weight on an unready revision",
    )
    unharmed = make_stage()
    story(unharmed)
    assert not unharmed.broken
    expected = f"{unharmed.end()!r}".replace(unharmed.namespace, "NAMESPACE")
    kills = unharmed.writes.deaths
    assert len(kills) > 20
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda kill: ended(make_stage, story, *kill), kills))
    fault.cases(len(kills))
    wrong = {
        f"{'after' if after else 'before'} {at} {unharmed.writes.done[at]}": end
        for (at, after), end in zip(kills, ends, strict=True)
        if end != expected
    }
    assert not wrong, f"expected {expected}"

"""A status that is lost, a clock that is set: the end is the same. In every setting: tests/cluster/node/faults."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.faults.settings import PLAYED

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = PLAYED[:1]
AT_ONCE = 6
HOUR = timedelta(hours=1)
LOOKS = 9
"""Of an unharmed rollout, from the wish to the promotion; harm is done before each of them."""
LONG_STEP = 3


def wiped(make: "Make", at: int, bad: bool) -> tuple[Any, ...]:
    """The end of a rollout whose status is lost before its look `at` (0: never)."""
    stage = make()
    stage.evidence.errors[stage.revision("2")] = 0.5 if bad else 0.0
    stage.serve_first()
    stage.wish("2")
    wanted = stage.revision("1") if bad else stage.revision("2")

    def over() -> bool:
        decided = stage.looks > 6 and (stage.barred if bad else stage.stable == wanted)
        return decided and stage.settled

    for look in range(1, 60):
        if look == at:
            stage.wipe()
        stage.look()
        if over() and look > at:
            break
    for _ in range(5):
        stage.look()
    return stage.stable, stage.idle, stage.weights, stage.mirrored, len(stage.servers), stage.broken


@pytest.mark.parametrize("bad", [False, True])
def test_a_status_that_is_lost_leads_to_the_same_end(make_stage: "Make", bad: bool, fault: "Row") -> None:
    what = "rolled back" if bad else "promoted"
    fault.says(f"status wiped at every step ({what})", "same end; nothing rejected comes back")
    expected = wiped(make_stage, 0, bad)
    steps = range(1, LOOKS + 4)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(steps, pool.map(lambda at: wiped(make_stage, at, bad), steps), strict=True))
    fault.cases(len(steps))
    assert {at: end for at, end in ends.items() if end != expected} == {}, f"expected {expected}"


def steps_of_clock(
    make: "Make", at: int, jump: timedelta, *, bad: bool = False
) -> tuple[dict[str, int], bool, list[str]]:
    """(looks at which each step's traffic flowed, whether it was promoted, what broke) where the wall clock is set
    before a look; each look is a minute of the monotonic clock. A bad one fails once its half of the traffic comes."""
    from tests.cluster.control_plane.faults.stage import STRATEGY

    stage = make()
    long = [
        {**step, "until": {**step["until"], "minDuration": f"{LONG_STEP}m"}} for step in STRATEGY["steps"]
    ]
    stage.spec(strategy={**STRATEGY, "steps": long})
    stage.serve_first()
    stage.wish("2")
    stood = {"shadow": 0, "half": 0}
    for look in range(1, 60 + HOUR // timedelta(minutes=1)):
        if look == at:
            stage.time.jump(jump)
        stage.look()
        stood["shadow"] += stage.mirrored is not None
        stood["half"] += len(stage.weights) == 2
        if bad and stood["half"]:
            stage.evidence.errors[stage.revision("2")] = 0.5
        if look > 3 and stage.settled:
            break
    assert stage.settled, stage.status
    return stood, stage.stable == stage.revision("2"), stage.broken


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_promotes_nothing_early_and_turns_nobody_away(
    make_stage: "Make", jump: timedelta, bad: bool, fault: "Row"
) -> None:
    sign, end = "+" if jump > timedelta() else "-", "rolled back" if bad else "promoted"
    when = "at every third look" if bad else "at every step"
    fault.says(f"clock jumps {sign}1 h {when} ({end})", "no early promotion; same end")
    usual, promoted, _ = steps_of_clock(make_stage, 0, jump, bad=bad)
    assert promoted is not bad
    assert bad or min(usual.values()) >= LONG_STEP
    steps = range(1, 3 * LONG_STEP + 2, 3 if bad else 1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda at: steps_of_clock(make_stage, at, jump, bad=bad), steps))
    fault.cases(len(steps))
    for at, (stood, promoted, broken) in zip(steps, found, strict=True):
        assert not broken
        assert promoted is not bad, f"set at look {at}: {stood}"
        assert bad or min(stood.values()) >= LONG_STEP, f"set at look {at}: {stood}"

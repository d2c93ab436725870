"""What an operator does when there is nothing to do: it renews its lease, and listens. Its memory stands."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.scale.fleet import Cost, Fleet, Operator
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("scale")
ROLLOUTS, MONITORS = 30, 6
ROUNDS = 6
WITHIN_S = 180.0
MADE_WITHIN_S = 600.0
"""Nothing that is proven here: a busy machine takes minutes to make thirty rollouts."""
MIB = 2**20


@pytest.fixture
def fleet(
    control_plane: "ControlPlane",
    namespace: str,
    trimtab_crds: None,
    kserve_crds: None,
    gateway_api_crds: None,
    tmp_path: Path,
) -> "Iterator[Fleet]":
    from tests.cluster.control_plane.scale.fleet import Fleet

    with Fleet(control_plane, tmp_path, [namespace]) as fleet:
        yield fleet


def only_listens(cost: "Cost") -> bool:
    return all(verb == "watch" or resource.startswith("leases") for verb, resource, _ in cost.calls)


def yardstick_s() -> float:
    """What takes an idle processor 2 ms takes this one now."""
    begin_s = time.thread_time()
    sum(number * number for number in range(50_000))
    return time.thread_time() - begin_s


def looks_with_nothing_to_do(fleet: "Fleet", operator: "Operator") -> "Iterator[tuple[Cost, float]]":
    """What each round of looks at all rollouts cost, and a yardstick of its moment."""
    for number in range(ROUNDS):
        before = operator.cost()
        fleet.nudge(number)
        deadline = time.monotonic() + WITHIN_S
        while True:  # one that a busy machine lets wait rests, too
            operator.rested(WITHIN_S)
            cost = operator.cost().since(before)
            if cost.looks["ModelRollout"] >= ROLLOUTS or time.monotonic() > deadline:
                break
        yield cost, yardstick_s()


def test_looks_with_nothing_to_do_call_nobody_and_keep_nothing(
    fleet: "Fleet", control_plane: "ControlPlane"
) -> None:
    fleet.apply(ROLLOUTS, MONITORS)
    operator = fleet.operate()
    fleet.wait_ready(ROLLOUTS, MADE_WITHIN_S)
    fleet.wait_told(MONITORS, MADE_WITHIN_S)
    operator.rested(WITHIN_S, quiet_s=4.0)
    fleet.rest()

    since = control_plane.audit_log.stat().st_size
    costs, yards_s = zip(*looks_with_nothing_to_do(fleet, operator), strict=True)
    assert min(cost.looks["ModelRollout"] for cost in costs) >= ROLLOUTS
    assert all(only_listens(cost) for cost in costs), costs
    # A look costs about 2 ms of an idle processor; much more is a list, a request or a validation that crept in.
    assert min(cost.cpu_s / cost.looked / yard_s for cost, yard_s in zip(costs, yards_s, strict=True)) < 5
    assert costs[-1].memory_bytes - costs[1].memory_bytes < 2 * MIB

    heard = {
        (event["verb"], event["objectRef"]["resource"])
        for event in control_plane.calls(since)
        if event["userAgent"] == "trimtab-drift-operator"
    }
    assert ("update", "leases") in heard
    assert {resource for verb, resource in heard if verb != "watch"} == {"leases"}
    assert not [line for line in operator.troubles() if '"level": "error"' in line]

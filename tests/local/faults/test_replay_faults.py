"""What dies while a candidate is on its way must not change what becomes of it."""

import os
import signal

import pytest

pytestmark = pytest.mark.xdist_group("replay")


def killing(kind, at_phase, picked):
    """A fault that kills one process of the plane, once, in that phase."""

    def fault(plane, phase):
        if phase != at_phase:
            return False
        children = [child for child in plane.control.children() if child.labels.get("kind") == kind]
        child = next(child for child in children if picked is None or picked(plane, child))
        os.kill(child.pid, signal.SIGKILL)
        return True

    return fault


def test_the_better_model_is_promoted_with_no_failure_and_no_loss(calm):
    assert (calm.phase, calm.stable, calm.failures) == ("Idle", "2", {})
    assert calm.received == calm.logged
    assert calm.dropped == 0


def test_two_replays_decide_alike(live, calm):
    again = live()
    assert again.events == calm.events
    assert again.checks == calm.checks


def server_of(stable):
    """Picks the model server of the stable revision, or of the other one."""

    def picked(plane, child):
        return (child.labels["revision"] in plane.gateway.split(plane.host).weights) is stable

    return picked


FAULTS = {
    "the gateway in the canary": ("gateway", "Canary", None),
    "the candidate's server in shadow": ("server", "Shadow", server_of(stable=False)),
    "the stable server in shadow": ("server", "Shadow", server_of(stable=True)),
    "the collector in shadow": ("collector", "Shadow", None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_process_that_is_killed_changes_no_decision(live, calm, name):
    killed = live(killing(*FAULTS[name]))

    assert [one[1:] for one in killed.events] == [one[1:] for one in calm.events]
    assert (killed.phase, killed.stable) == ("Idle", "2")
    assert sum(killed.restarts.values()) == 1
    assert killed.received >= killed.logged
    assert killed.dropped == 0
    assert len(killed.failures) <= 1, "requests fail only while it is down"
    if "candidate" in name or "collector" in name:
        assert killed.failures == {}, "users never notice"

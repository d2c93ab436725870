"""What a ModelRollout shows a person: ready means that stable serves, and nothing else."""

from dataclasses import replace

import pytest

from operators.drift.conditions.condition import Condition, unattended
from operators.drift.conditions.rollout import Seen, conditions
from trimtab.adapters.children import Fact
from trimtab.api.conditions import condition
from trimtab.api.rollout_status import Phase, RevisionRef, RolloutStatus
from trimtab.control.rollout import Looked
from trimtab.ports.gateway import Split
from trimtab.ports.servers import Server, ServerState

ONE = RevisionRef(revision="aaaaaaaa", version="1", uri="s3://m/1", digest="0" * 64)
TWO = RevisionRef(revision="bbbbbbbb", version="2", uri="s3://m/2", digest="1" * 64)
ACCEPTED = Fact("RouteAccepted", "True", "Accepted")
SERVING = Seen(
    RolloutStatus(stable=ONE),
    Looked("the wished version is stable"),
    Split({"aaaaaaaa": 100}),
    Server("aaaaaaaa", ServerState.READY, 5.0, 0),
    [ACCEPTED],
    resolved=True,
)


def told(seen: Seen, kind: str) -> Condition:
    (found,) = [one for one in conditions(seen) if one.type == kind]
    return found


def test_what_serves_is_ready_whatever_troubles_the_rest() -> None:
    assert told(SERVING, "Ready").status == "True"
    troubled = replace(
        SERVING, looked=Looked("x", True, "the registry is down"), hindered="the registry is down"
    )
    assert told(troubled, "Ready").status == "True"
    assert told(troubled, "Stalled").reason == "Hindered"
    failing = replace(SERVING, status=RolloutStatus(stable=ONE, candidate=TWO, phase=Phase.ROLLING_BACK))
    assert told(failing, "Ready").status == "True"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (replace(SERVING, status=RolloutStatus()), "NoRevisionYet"),
        (replace(SERVING, split=None), "NotRouted"),
        (replace(SERVING, split=Split({"cccccccc": 100})), "NotRouted"),
        (replace(SERVING, facts=[Fact("RouteAccepted", "False", "NoListener", "no")]), "RouteNotAccepted"),
        (replace(SERVING, stable=None), "StableNotReady"),
        (replace(SERVING, stable=Server("aaaaaaaa", ServerState.NOT_READY, 1.0, 2, "OOM")), "StableNotReady"),
    ],
)
def test_what_does_not_serve_is_not_ready(seen: Seen, reason: str) -> None:
    assert (told(seen, "Ready").status, told(seen, "Ready").reason) == ("False", reason)


def test_trouble_of_a_moment_is_no_news() -> None:
    assert told(replace(SERVING, looked=Looked("x", True, "reset")), "Stalled").status == "False"


def test_what_a_person_must_do_comes_before_what_hinders() -> None:
    asked = condition("Stalled", True, "AwaitingApproval", "word waits for approval")
    seen = replace(SERVING, told=(asked,), ordered="no order", hindered="down")
    assert told(seen, "Stalled").reason == "AwaitingApproval"
    assert told(replace(seen, told=()), "Stalled").reason == "OrderUnreadable"


def test_each_type_is_told_once_and_the_adapter_knows_best() -> None:
    mirrors = condition("MirrorSupported", True, "Supported")
    pairs = condition("PairingSupported", None, "NotProbed")
    facts = [ACCEPTED, Fact("MirrorSupported", "False", "Unsupported", "it copies nothing")]
    found = conditions(replace(SERVING, facts=facts, told=(mirrors, pairs)))
    kinds = [one.type for one in found]
    assert len(kinds) == len(set(kinds))
    assert {one.type: one.status for one in found}["MirrorSupported"] == "False"
    assert {one.type: one.status for one in found}["PairingSupported"] == "Unknown"


def test_a_status_that_was_rebuilt_is_told() -> None:
    assert told(replace(SERVING, unreadable="phase: no"), "StatusReadable").status == "False"
    assert told(SERVING, "StatusReadable").status == "True"


def test_what_cannot_be_looked_after_is_not_ready_unless_it_serves() -> None:
    assert [one.type for one in unattended("x", "ProviderUnknown", serves=True)] == ["Stalled"]
    assert [one.type for one in unattended("x", "ProviderUnknown", serves=False)] == ["Stalled", "Ready"]

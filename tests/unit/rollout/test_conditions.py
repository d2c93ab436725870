"""What a person sees at a glance: every reason, where it is the right one."""

import pytest

from trimtab.api.conditions import condition
from trimtab.api.rollout_status import Keeping, Phase
from trimtab.rollout import Copies, Newest, Routed, ServerSeen, Told, conditions


def told(scene, **how):
    return {one.type: one for one in conditions(scene.spec, scene.seen, Told(**how))}


def said(scene, type_, **how):
    one = told(scene, **how)[type_]
    return one.status, one.reason


def crowded(scene):
    """Stable has four replicas, the candidate one; and nobody gives it more."""
    few = scene.canary("half").world(
        routed=Routed({"stable": 100}),
        servers={
            "stable": ServerSeen(True, False, 9.0, 0, replicas=4, least=0),
            "cand": ServerSeen(True, False, 9.0, 0, replicas=1, least=0),
        },
    )
    return few.status(warming=Keeping(elapsed_s=86_400.0))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.idle().status(stable=None), ("False", "NoRevisionYet")),
        (lambda s: s.idle().world(routed=None), ("False", "NotRouted")),
        (lambda s: s.idle().world(routed=Routed({"cand": 100})), ("False", "NotRouted")),
        (lambda s: s.idle().server("stable", ready=False), ("False", "StableNotReady")),
        (lambda s: s.idle().world(servers={}), ("False", "StableNotReady")),
        (lambda s: s.idle(), ("True", "Serving")),
        (lambda s: s.canary(), ("True", "Serving")),
        (
            lambda s: s.canary().status(phase=Phase.PROMOTING).world(routed=Routed({"cand": 100})),
            ("True", "Serving"),
        ),
        (
            lambda s: (
                s.canary()
                .status(phase=Phase.PROMOTING)
                .world(routed=Routed({"cand": 100}))
                .server("cand", ready=False)
            ),
            ("False", "NotRouted"),
        ),
    ],
)
def test_ready(scene, make, expected):
    assert said(make(scene), "Ready") == expected


def test_not_ready_says_what_the_server_says(scene):
    down = scene.idle().server("stable", ready=False, message="image is not there")
    assert told(down)["Ready"].message == "version 1 (revision stable) does not answer: image is not there"
    none = told(scene.idle().world(servers={}))["Ready"].message
    assert none == "version 1 (revision stable) does not answer: it has no server"


def test_not_ready_yet_says_what_the_first_revision_waits_for(scene):
    first = scene.idle().status(stable=None)
    assert told(first, because="its server starts")["Ready"].message == "its server starts"
    assert told(first, because="x", trouble="no registry")["Ready"].message == "no registry"


def test_a_route_that_the_gateway_refuses_serves_nobody(scene):
    refusal = condition("RouteAccepted", False, "NoListener", "no listener")
    assert said(scene.idle(), "Ready", facts=[refusal]) == ("False", "RouteNotAccepted")
    accepted = condition("RouteAccepted", None, "Pending")
    assert said(scene.idle(), "Ready", facts=[accepted]) == ("True", "Serving")


def test_what_serves_is_ready_whatever_troubles_the_rest(scene):
    down = {"trouble": "the registry is down", "hindered": "the registry is down"}
    assert said(scene.idle(), "Ready", **down)[0] == "True"
    assert said(scene.canary().status(phase=Phase.ROLLING_BACK), "Ready", **down)[0] == "True"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.idle(), ("False", "Idle")),
        (lambda s: s.canary().world(suspended=True), ("False", "Suspended")),
        *[
            (lambda s, phase=phase: s.canary().status(phase=phase), ("True", phase.value))
            for phase in Phase
            if phase is not Phase.IDLE
        ],
    ],
)
def test_progressing(scene, make, expected):
    assert said(make(scene), "Progressing") == expected


def test_progressing_says_what_is_in_the_way_before_what_is_waited_for(scene):
    assert told(scene.canary(), because="two hours more")["Progressing"].message == "two hours more"
    assert (
        told(scene.canary(), because="two hours more", trouble="no collector")["Progressing"].message
        == "no collector"
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.idle(), ("False", "Proceeding")),
        (lambda s: s.canary(), ("False", "Proceeding")),
        (lambda s: s.canary().status(stalled="three days without a verdict"), ("True", "Inconclusive")),
        (lambda s: s.canary("sign-off"), ("True", "AwaitingApproval")),
        (lambda s: s.shadow().world(copies=Copies(False)), ("True", "MirrorUnsupported")),
        (
            lambda s: s.shadow().status(step=None, stalled="shadow cannot start").world(copies=Copies(False)),
            ("True", "MirrorUnsupported"),
        ),
        (crowded, ("True", "CapacityMissing")),
        (lambda s: crowded(s).status(warming=Keeping(elapsed_s=1.0)), ("False", "Proceeding")),
    ],
)
def test_stalled(scene, make, expected):
    assert said(make(scene), "Stalled") == expected


@pytest.mark.parametrize(
    ("copies", "mirrors", "pairs"),
    [
        (Copies(), ("True", "Supported"), ("True", "Paired")),
        (Copies(False, False), ("False", "Unsupported"), ("False", "Unpaired")),
        (Copies(None, None), ("Unknown", "NotProbed"), ("Unknown", "NotProbed")),
        (Copies(True, False), ("True", "Supported"), ("False", "Unpaired")),
    ],
)
def test_mirrors_and_pairs(scene, copies, mirrors, pairs):
    seen = scene.shadow().world(copies=copies)
    assert (said(seen, "MirrorSupported"), said(seen, "PairingSupported")) == (mirrors, pairs)


def test_what_a_person_must_do_comes_before_what_hinders(scene):
    ills = {"ordered": "no order", "hindered": "down"}
    assert said(scene.canary("sign-off"), "Stalled", **ills)[1] == "AwaitingApproval"
    assert said(scene.canary(), "Stalled", **ills)[1] == "OrderUnreadable"
    assert said(scene.idle().status(stalled="look"), "Stalled", **ills)[1] == "PersonNeeded"
    assert said(scene.idle(), "Stalled", hindered="down")[1] == "Hindered"
    assert said(scene.idle(), "Stalled", trouble="reset") == ("False", "Proceeding")


def test_each_type_is_told_once_and_the_adapter_knows_best(scene):
    facts = [condition("MirrorSupported", False, "NotListed", "it copies nothing")]
    kinds = [one.type for one in conditions(scene.idle().spec, scene.idle().seen, Told(facts=facts))]
    assert len(kinds) == len(set(kinds))
    assert said(scene.idle(), "MirrorSupported", facts=facts) == ("False", "NotListed")
    assert said(scene.idle(), "PairingSupported", facts=facts) == ("True", "Paired")


def test_a_status_that_was_rebuilt_is_told(scene):
    assert said(scene.idle(), "StatusReadable") == ("True", "AsWritten")
    assert said(scene.idle(), "StatusReadable", unreadable="phase: no") == ("False", "Rebuilt")


def test_the_wished_model_is_resolved_or_not(scene):
    nobody = scene.idle().world(newest=None)
    assert said(nobody, "ModelResolved", asked=True) == ("False", "NotFound")
    assert said(nobody, "ModelResolved", asked=False) == ("Unknown", "RegistryUnreachable")
    assert told(nobody, unresolved="no alias")["ModelResolved"].message == "no alias"
    found = told(scene.idle().world(newest=Newest(scene.CANDIDATE)))["ModelResolved"]
    assert (found.status, found.reason, found.message) == ("True", "Resolved", "version 2 is revision cand")

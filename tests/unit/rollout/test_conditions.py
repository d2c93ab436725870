"""What a person sees at a glance: every reason, where it is the right one."""

import pytest

from trimtab.api.rollout_status import Keeping, Phase
from trimtab.rollout import Copies, Newest, Routed, ServerSeen, conditions


def told(scene, because="", trouble=""):
    return {one.type: one for one in conditions(scene.spec, scene.seen, because, trouble)}


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
        (lambda s: s.idle().status(stable=None), ("False", "NothingServes")),
        (lambda s: s.idle().world(routed=None), ("False", "NotRouted")),
        (lambda s: s.idle().world(routed=Routed({"cand": 100})), ("False", "NotRouted")),
        (lambda s: s.idle().server("stable", ready=False), ("False", "NotReady")),
        (lambda s: s.idle().world(servers={}), ("False", "NotReady")),
        (lambda s: s.idle(), ("True", "Serves")),
        (lambda s: s.canary(), ("True", "Serves")),
        (
            lambda s: s.canary().status(phase=Phase.PROMOTING).world(routed=Routed({"cand": 100})),
            ("True", "Serves"),
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
    assert told(down)["Ready"].message == "image is not there"


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
    assert told(scene.canary(), "two hours more")["Progressing"].message == "two hours more"
    assert told(scene.canary(), "two hours more", "no collector")["Progressing"].message == "no collector"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda s: s.idle(), ("False", "Idle")),
        (lambda s: s.canary(), ("False", "Proceeds")),
        (lambda s: s.canary().status(stalled="three days without a verdict"), ("True", "Inconclusive")),
        (lambda s: s.canary("sign-off"), ("True", "AwaitingApproval")),
        (lambda s: s.shadow().world(copies=Copies(False)), ("True", "MirrorUnsupported")),
        (
            lambda s: s.shadow().status(step=None, stalled="shadow cannot start").world(copies=Copies(False)),
            ("True", "MirrorUnsupported"),
        ),
        (crowded, ("True", "CapacityMissing")),
        (lambda s: crowded(s).status(warming=Keeping(elapsed_s=1.0)), ("False", "Proceeds")),
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


def test_the_wished_model_is_resolved_or_not(scene):
    assert said(scene.idle().world(newest=None), "ModelResolved") == ("False", "NoCandidate")
    found = told(scene.idle().world(newest=Newest(scene.CANDIDATE)))["ModelResolved"]
    assert (found.status, found.reason, found.message) == ("True", "Resolved", "version 2 is revision cand")

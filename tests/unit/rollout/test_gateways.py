"""Gateways that copy no requests, pair no answers, or find no endpoint."""

import pytest

from trimtab.api.rollout_status import Phase
from trimtab.rollout import Copies, Routed
from trimtab.rollout.decision import Probe

UNKNOWN = Copies(None, None, "not probed yet")
UNABLE = Copies(False, None, "it has no mirror filter")


def warm(scene, copies):
    """Before its first step, which is a shadow."""
    starting = scene.idle().status(phase=Phase.STARTING, candidate=scene.CANDIDATE, warmed=1000)
    return starting.server("cand").world(copies=copies)


def test_a_shadow_waits_until_it_is_known_whether_the_gateway_copies(scene):
    decision = warm(scene, UNKNOWN).decide()
    assert decision.after == (Probe("stable", "cand"),)
    assert decision.claim is None
    assert "waits to learn" in decision.because
    assert warm(scene, Copies()).decide().claim.step.name == "shadow"


def test_a_gateway_that_copies_nothing_stalls_a_shadow_and_says_so_once(scene):
    unable = warm(scene, UNABLE)
    decision = unable.decide()
    assert decision.waits
    assert decision.claim.stalled == (
        "shadow cannot start: the gateway copies no requests: it has no mirror filter"
    )
    assert [one.kind for one in decision.happened] == ["Stalled"]
    again = unable.status(stalled=decision.claim.stalled).decide()
    assert (again.claim, again.happened) == (None, ())


def test_once_the_gateway_can_copy_the_shadow_begins(scene):
    stalled = warm(scene, UNABLE).status(stalled="shadow cannot start")
    claim = stalled.world(copies=Copies()).decide().claim
    assert (claim.phase, claim.stalled) == (Phase.SHADOW, "")


def test_a_candidate_that_skips_the_shadow_needs_no_copies(scene):
    canaries = warm(scene, UNABLE).under(steps=scene.SPEC.steps[1:])
    assert canaries.decide().claim.step.name == "first"


def test_without_an_endpoint_for_half_a_minute_it_is_broken(scene):
    assert scene.canary().world(unreached_s=29.0).decide().claim is None
    claim = scene.canary().world(unreached_s=30.0).decide().claim
    assert claim.phase is Phase.ROLLING_BACK
    assert "found no endpoint" in claim.rollback.because


# stable fails alike


def test_not_ready_while_stable_is_not_either_is_no_fault_of_the_candidate(scene):
    down = scene.canary().server("cand", ready=False, since_s=60.0)
    assert "not ready for 30 s" in down.decide().claim.rollback.because
    alike = down.server("stable", ready=False, since_s=60.0)
    claim = alike.decide().claim
    assert claim is None or claim.rollback is None


def test_restarts_that_stable_has_too_are_no_fault_of_the_candidate(scene):
    died = scene.canary().server("cand", restarts=3)
    assert "died 3 times" in died.decide().claim.rollback.because
    assert (
        died.server("stable", restarts=2).decide().claim.rollback.because == "broken: its server died 3 times"
    )
    claim = died.server("stable", restarts=3).decide().claim
    assert claim is None or claim.rollback is None


@pytest.mark.parametrize("both", [False, True])
def test_restarts_count_from_the_step_on_for_both(scene, both):
    """What a server had been restarted before the step began says nothing of it."""
    scene = scene.canary().status(restarts=2, stable_restarts=5 if both else 2)
    seen = scene.server("cand", restarts=5).server("stable", restarts=5)
    claim = seen.decide().claim
    assert (claim is not None and claim.rollback is not None) == both


def test_never_ready_within_the_timeout_unless_stable_is_not_either(scene):
    from trimtab.api.rollout_status import Keeping

    late = scene.idle().status(
        phase=Phase.STARTING, candidate=scene.CANDIDATE, warming=Keeping(elapsed_s=86_400.0)
    )
    late = late.server("cand", ready=False)
    assert "not ready within" in late.decide().claim.rollback.because
    alike = late.server("stable", ready=False, since_s=5.0).decide()
    assert alike.claim is None or alike.claim.rollback is None


def test_answers_of_half_the_warm_up_break_it_once_its_time_is_over(scene):
    from trimtab.api.rollout_status import Keeping

    late = scene.idle().status(
        phase=Phase.STARTING, candidate=scene.CANDIDATE, warmed=1, warming=Keeping(elapsed_s=86_400.0)
    )
    late = late.server("cand")
    assert late.decide().claim.rollback.because == "broken: answered 1 of 50 warm-up requests"
    because = late.world(unwarmed="400: no online store").decide().claim.rollback.because
    assert because == "broken: answered 1 of 50 warm-up requests; the last met 400: no online store"


def test_a_shadow_under_way_whose_gateway_loses_its_copies_goes_on_as_it_is(scene):
    assert scene.shadow().world(copies=UNABLE).decide().claim is None
    assert scene.shadow().world(copies=UNABLE).seen.routed == Routed({"stable": 100}, "cand", 100)

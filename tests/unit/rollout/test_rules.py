"""The rules of a rollout, each on the state of the world that it is about."""

import pytest

from trimtab.api.rollout import OnInconclusive, OnNewCandidate, Rollout, Until
from trimtab.api.rollout_status import CheckStatus, Keeping, Phase, Rollback
from trimtab.rollout import Newest, Routed
from trimtab.rollout.decision import EnsureServer, Lift, NameStable, Reject, RetireServer, Route, WarmUp

DAY_S = 86_400


def check(name, verdict, step="shadow", units=30):
    return CheckStatus(name=name, step=step, verdict=verdict, units=units)


def test_nothing_to_do(scene):
    assert scene.idle().decide().waits


def test_the_same_world_is_decided_alike_in_every_order_of_looking(scene):
    assert scene.shadow().decide() == scene.shadow().decide()


# starting


def test_the_newest_candidate_is_taken(scene):
    claim = scene.idle().world(newest=Newest(scene.CANDIDATE)).decide().claim
    assert claim.candidate == scene.CANDIDATE
    assert claim.phase is Phase.STARTING


def test_a_rejected_one_is_not(scene):
    decision = scene.idle().world(newest=Newest(scene.CANDIDATE, rejected="it failed")).decide()
    assert decision.waits
    assert "stays out: it failed" in decision.because
    assert "is stable" not in decision.because


def test_with_nothing_stable_nothing_is_called_stable(scene):
    assert "stable" not in scene.idle().status(stable=None).world(routed=None, newest=None).decide().because


def test_one_that_was_previous_is_a_candidate_like_any_other(scene):
    taken = scene.idle().status(previous=scene.PREVIOUS).world(newest=Newest(scene.PREVIOUS, attempt=1))
    claim = taken.server("prev").decide().claim
    assert claim.previous is None
    assert claim.candidate == scene.PREVIOUS


def starting(scene):
    return scene.shadow().status(phase=Phase.STARTING, step=None).world(routed=Routed({"stable": 100}))


def test_a_candidate_without_a_server_gets_one(scene):
    decision = starting(scene).world(servers={"stable": scene.READY}).decide()
    assert decision.after == (EnsureServer(scene.CANDIDATE),)
    assert decision.waits


def test_one_that_starts_is_waited_for(scene):
    assert (
        starting(scene).server("cand", ready=False).decide().because.startswith("waiting for the candidate")
    )


def test_a_ready_one_is_warmed_up_and_then_begins(scene):
    assert starting(scene).decide().after == (WarmUp("cand", 50),)
    claim = starting(scene).status(warmed=50, entered=0).decide().claim
    assert (claim.step.name, claim.phase, claim.entered) == ("shadow", Phase.SHADOW, 1)


def test_the_first_revision_is_promoted_without_steps(scene):
    first = starting(scene).status(stable=None, warmed=50).world(routed=None)
    assert first.decide().claim.phase is Phase.PROMOTING
    routed = first.status(phase=Phase.PROMOTING)
    assert routed.decide().after == (Route(Routed({"cand": 100})),)
    done = routed.world(routed=Routed({"cand": 100})).decide()
    assert done.before == (NameStable(scene.CANDIDATE),)
    assert done.claim.stable == scene.CANDIDATE


def test_the_first_revision_that_dies_before_it_is_routed_is_not_routed(scene):
    first = starting(scene).status(stable=None, phase=Phase.PROMOTING).world(routed=None)
    assert first.server("cand", ready=False, since_s=1.0).decide().because.startswith("waiting for the route")


@pytest.mark.parametrize(
    ("ready", "warmed", "restarts", "says"),
    [(False, 0, 0, "not ready within"), (True, 7, 0, "answered 7 of 50"), (False, 0, 3, "died 3 times")],
)
def test_a_candidate_that_never_comes_is_rolled_back(scene, ready, warmed, restarts, says):
    late = starting(scene).status(warming=Keeping(elapsed_s=301.0), warmed=warmed)
    decision = late.server("cand", ready=ready, restarts=restarts).decide()
    assert says in decision.because
    assert decision.before == (Reject(scene.CANDIDATE, decision.because, 0),)


def test_a_slow_start_that_is_done_in_time_is_forgiven(scene):
    assert starting(scene).status(warming=Keeping(elapsed_s=301.0), warmed=50).decide().claim.step


# safety


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.server("cand", ready=False, since_s=30.0, message="exit 1"), "exit 1"),
        (lambda s: s.server("cand", restarts=3), "died 3 times"),
        (lambda s: s.world(starved_s=60.0), "under half"),
        (lambda s: s.status(checks=(check("loss", "Fail"),)), "Fail: loss"),
        (lambda s: s.world(candidate_rejected=True), "registry bars"),
        (lambda s: s.ordered("abort", "cand"), "Ann aborted"),
    ],
)
@pytest.mark.parametrize("suspended", [False, True])
def test_what_endangers_users_is_rolled_back_even_while_suspended(scene, change, says, suspended):
    decision = change(scene.canary().world(suspended=suspended)).decide()
    assert says in decision.because
    assert decision.claim.phase is Phase.ROLLING_BACK
    assert isinstance(decision.before[0], Reject)


def test_thirty_seconds_are_given(scene):
    assert "broken" not in scene.canary().server("cand", ready=False, since_s=29.0).decide().because


def test_a_check_that_the_spec_no_longer_asks_fails_nobody(scene):
    assert scene.canary().status(checks=(check("gone", "Fail"),)).decide().claim is None


def rolling_back(scene, reject=True):
    return scene.canary().status(phase=Phase.ROLLING_BACK, rollback=Rollback(because="so", reject=reject))


def test_rolling_back_takes_traffic_first_then_bars_then_forgets(scene):
    assert rolling_back(scene).decide().after == (Route(Routed({"stable": 100})),)
    cleared = rolling_back(scene).world(routed=Routed({"stable": 100}))
    assert cleared.decide().before == (Reject(scene.CANDIDATE, "so", 0),)
    claim = cleared.world(candidate_rejected=True).decide().claim
    assert claim.candidate is None
    assert claim.leaving == (scene.CANDIDATE,)
    assert claim.rejected[0].because == "so"


def test_one_that_is_superseded_is_not_barred(scene):
    claim = rolling_back(scene, reject=False).world(routed=Routed({"stable": 100})).decide().claim
    assert claim.rejected == ()


def test_while_stable_has_no_server_it_gets_one_before_the_route_moves(scene):
    decision = rolling_back(scene).world(servers={"cand": scene.READY}).decide()
    assert decision.after == (EnsureServer(scene.STABLE),)


def test_the_first_revision_goes_on_answering_when_it_is_rolled_back(scene):
    alone = (
        rolling_back(scene).status(stable=None).world(routed=Routed({"cand": 100}), candidate_rejected=True)
    )
    claim = alone.decide().claim
    assert claim.leaving == (scene.CANDIDATE,)


def test_an_abort_while_it_is_superseded_bars_it(scene):
    assert rolling_back(scene, reject=False).ordered("abort", "cand").decide().claim.rollback.reject
    assert rolling_back(scene).ordered("abort", "cand").decide().claim is None


def test_no_weight_goes_to_what_does_not_answer(scene):
    down = scene.canary("half").server("cand", ready=False, since_s=1.0)
    assert down.decide().after == (Route(Routed({"stable": 100})),)
    assert down.world(routed=Routed({"stable": 100})).decide().because == "waiting for the route"


def test_stable_is_kept_alive(scene):
    assert scene.idle().world(servers={}).decide().after == (EnsureServer(scene.STABLE),)


def test_a_route_that_waits_for_a_stable_server_is_not_written(scene):
    gone = scene.idle().world(servers={}, routed=None)
    assert gone.decide().after == (EnsureServer(scene.STABLE),)


# orders


def test_an_order_is_obeyed_once_and_only_about_its_revision(scene):
    assert scene.canary().ordered("abort", "other").decide().claim is None
    assert scene.canary().status(acts=("id",)).ordered("abort", "cand").decide().claim is None


def served(scene):
    return scene.idle().status(previous=scene.PREVIOUS).server("prev")


def test_undo_names_the_previous_one_stable_before_it_bars(scene):
    decision = served(scene).ordered("undo", "stable").decide()
    assert decision.before == (NameStable(scene.PREVIOUS), Reject(scene.STABLE, "Ann undid it", 0))
    assert (decision.claim.stable, decision.claim.leaving) == (scene.PREVIOUS, (scene.STABLE,))


def test_undo_waits_for_the_previous_server(scene):
    asleep = served(scene).world(servers={"stable": scene.READY}).ordered("undo", "stable")
    assert asleep.decide().after == (EnsureServer(scene.PREVIOUS),)
    assert served(scene).server("prev", ready=False).ordered("undo", "stable").decide().claim is None


def test_undo_lets_a_candidate_go_first_without_barring_it(scene):
    flying = scene.canary().status(previous=scene.PREVIOUS).server("prev").ordered("undo", "stable")
    assert flying.decide().claim.rollback.reject is False


def test_undo_without_a_previous_one_does_nothing(scene):
    assert scene.idle().ordered("undo", "stable").decide().waits


def test_retry_lifts_the_bar_of_the_newest_only(scene):
    barred = scene.idle().world(newest=Newest(scene.CANDIDATE, rejected="no"))
    assert barred.ordered("retry", "cand").decide().before == (Lift(scene.CANDIDATE, "id"),)
    assert barred.ordered("retry", "other").decide().waits
    spent = barred.world(newest=Newest(scene.CANDIDATE, "no", 1, frozenset({"id"})))
    assert spent.ordered("retry", "cand").decide().waits
    assert scene.idle().world(newest=None).ordered("retry", "cand").decide().waits


def test_promote_skips_the_steps_that_are_left(scene):
    assert scene.canary().ordered("promote", "cand").decide().claim.phase is Phase.PROMOTING
    assert (
        scene.canary().server("cand", ready=False, since_s=1).ordered("promote", "cand").decide().claim
        is None
    )


def test_an_approval_is_of_one_step(scene):
    waiting = scene.canary("sign-off")
    assert "waits for approval" in waiting.decide().because
    assert waiting.ordered("approve", "cand", step="other").decide().claim is None
    assert waiting.ordered("approve", "cand", step="sign-off").decide().claim.step.name == "half"


def test_suspend_stops_progress(scene):
    assert scene.idle().world(newest=Newest(scene.CANDIDATE), suspended=True).decide().because == "suspended"


# newer candidates


def test_supersede_takes_the_newer_one_and_queue_does_not(scene):
    newer = scene.canary().world(newest=Newest(scene.ref("new", "3")))
    assert newer.decide().claim is None
    eager = newer.under(on_new_candidate=OnNewCandidate.SUPERSEDE)
    assert eager.decide().claim.rollback.reject is False
    assert eager.world(newest=Newest(scene.STABLE)).decide().claim is None
    assert eager.world(newest=Newest(scene.ref("new", "3"), rejected="no")).decide().claim is None
    assert scene.canary().under(on_new_candidate=OnNewCandidate.SUPERSEDE).decide().claim is None


# steps


def test_a_step_lasts_its_time_its_blocks_and_its_requests(scene):
    assert "lasts 7 days" in scene.shadow().decide().because
    over = scene.shadow(elapsed_s=8 * DAY_S)
    assert over.decide().because == "loss: 0 of 7 blocks"
    assert (
        over.status(checks=(check("loss", "Inconclusive", units=6),)).decide().because
        == "loss: 6 of 7 blocks"
    )
    assert over.status(checks=(check("loss", "Inconclusive"),)).decide().claim.step.name == "first"
    few = scene.canary(elapsed_s=2 * DAY_S).status(checks=(check("errors", "Pass", step="first"),))
    assert few.world(requests=99).decide().because == "99 of 100 requests"
    assert few.world(requests=100).decide().claim.phase is Phase.AWAITING_APPROVAL


def test_a_required_pass_is_waited_for(scene):
    over = scene.canary(elapsed_s=2 * DAY_S).world(requests=100)
    assert over.decide().because == "errors: no evidence yet"
    waiting = over.status(checks=(check("errors", "Inconclusive", step="first"),))
    assert "no Pass yet" in waiting.decide().because


def test_evidence_of_a_shadow_passes_no_canary(scene):
    over = scene.canary(elapsed_s=2 * DAY_S).world(requests=100)
    assert over.status(checks=(check("errors", "Pass", step="shadow"),)).decide().claim is None


@pytest.mark.parametrize("choice", list(OnInconclusive))
def test_when_its_time_is_over_the_policy_decides(scene, choice):
    over = scene.canary("half", elapsed_s=2 * DAY_S, share=50).under(on_inconclusive=choice)
    claim = over.decide().claim
    if choice is OnInconclusive.PAUSE:
        assert "Inconclusive" in claim.stalled
        assert over.status(stalled=claim.stalled).decide().claim is None
    elif choice is OnInconclusive.ROLLBACK:
        assert claim.phase is Phase.ROLLING_BACK
    else:
        assert claim.step.name == "rest"


def test_a_hold_keeps_the_traffic_for_its_time_and_then_the_candidate_is_promoted(scene):
    holding = scene.canary("rest", share=50)
    assert "lasts" in holding.decide().because
    assert scene.canary("rest", elapsed_s=DAY_S, share=50).decide().claim.phase is Phase.PROMOTING


def test_an_edited_step_is_entered_again_and_a_later_one_just_applies(scene):
    steps = list(scene.SPEC.steps)
    longer = steps[0].model_copy(update={"until": Until(min_samples=5)})
    edited = scene.canary().under(steps=(longer, *steps[1:]))
    assert edited.decide().claim.step.name == "shadow"
    later = scene.shadow().under(steps=(*steps[:-1], longer.model_copy(update={"name": "last"})))
    assert later.decide().claim is None
    cut = scene.canary("rest", share=50).under(steps=tuple(steps[:2]))
    assert cut.decide().after == (Route(Routed({"stable": 100})),)
    assert cut.world(routed=Routed({"stable": 100})).decide().claim.step.name == "first"


def test_an_approval_before_any_traffic_leaves_all_of_it_to_stable(scene):
    spec = Rollout.model_validate(
        {"steps": [{"name": "ask", "approval": {}}, {"name": "c", "canary": {"percent": 5}}], "checks": []}
    )
    waiting = scene.shadow().status(step=scene.at("ask", spec=spec), phase=Phase.AWAITING_APPROVAL)
    waiting.spec = spec
    assert waiting.decide().after == (Route(Routed({"stable": 100})),)
    calm = waiting.world(routed=Routed({"stable": 100}))
    calm.spec = spec
    assert "waits for approval" in calm.decide().because


def test_a_hold_before_any_traffic_just_waits(scene):
    spec = Rollout.model_validate(
        {
            "steps": [
                {"name": "ask", "approval": {}},
                {"name": "wait", "hold": {}, "until": {"minDuration": "1d"}},
                {"name": "c", "canary": {"percent": 5}},
            ],
            "checks": [],
        }
    )
    waited = (
        scene.shadow().status(step=scene.at("wait", 2 * DAY_S, spec)).world(routed=Routed({"stable": 100}))
    )
    waited.spec = spec
    assert waited.decide().claim.step.name == "c"


# the end


def test_promotion_moves_the_route_then_the_registry_then_the_status(scene):
    promoting = scene.canary("half", share=50).status(phase=Phase.PROMOTING, previous=scene.PREVIOUS)
    assert promoting.decide().after == (Route(Routed({"cand": 100})),)
    done = promoting.world(routed=Routed({"cand": 100})).decide()
    assert done.before == (NameStable(scene.CANDIDATE),)
    assert (done.claim.stable, done.claim.previous) == (scene.CANDIDATE, scene.STABLE)
    assert done.claim.leaving == (scene.PREVIOUS,)


def test_promotion_waits_for_the_route(scene):
    odd = scene.canary("half", share=50).status(phase=Phase.PROMOTING).world(routed=Routed({"stable": 100}))
    assert odd.server("cand", ready=False, since_s=1.0).decide().because.startswith("waiting for the route")


def test_the_previous_one_goes_when_its_time_is_over_and_no_route_names_it(scene):
    kept = served(scene)
    assert kept.decide().waits
    released = kept.status(keeping=Keeping(elapsed_s=3600.0)).decide().claim
    assert (released.previous, released.leaving) == (None, (scene.PREVIOUS,))
    leaving = kept.status(previous=None, leaving=(scene.PREVIOUS,))
    assert leaving.decide().before == (RetireServer("prev"),)
    used = leaving.status(candidate=scene.PREVIOUS, phase=Phase.STARTING, warmed=50)
    assert used.decide().before == ()


def test_servers_that_nobody_knows_are_stopped(scene):
    assert scene.idle().server("stray").decide().after == (RetireServer("stray"),)

"""A rollout over its ports: what a person would see."""

from datetime import timedelta

from trimtab.api.rollout_status import Phase

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_the_first_revision_is_made_ready_and_then_routed(stage):
    first = stage.serve_first()
    assert stage.world.weight(first) == 100
    assert stage.status.stable.revision == first
    assert stage.world.aliases["stable"] == "1"
    assert stage.status.phase is Phase.IDLE


def test_an_equal_candidate_is_shadowed_then_canaried_then_promoted(stage):
    first = stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.stable.revision == second, days=40)
    shares = [split.weights.get(second, 0) for _, split in stage.world.splits]
    assert shares == [0, 0, 20, 50, 100]
    assert stage.world.splits[1][1].mirror == second
    steps = [event for _, event in stage.world.state.events() if event.kind == "StepStarted"]
    assert [event.because.split(":")[0] for event in steps] == ["shadow", "first", "half"]
    assert steps[1].bounds["loss.verdict"] == "Pass"
    assert first not in stage.world.servers_up or stage.status.previous.revision == first
    assert not stage.world.broken_promises


def test_a_worse_candidate_fails_in_shadow_and_never_gets_a_request(stage):
    stage.serve_first()
    bad = stage.world.candidate("bad", loss=0.08)
    assert stage.until(lambda s: s.settled and "Rejected" in s.world.kinds(), days=40)
    assert all(not split.weights.get(bad) for _, split in stage.world.splits)
    assert stage.world.rejected(bad)
    assert bad not in stage.world.servers_up
    event = next(event for _, event in stage.world.state.events() if event.kind == "Rejected")
    assert event.because.startswith("Fail: loss")
    assert event.bounds["loss.lower"] > 0
    assert not stage.until(lambda s: s.status.in_flight, days=5)


def test_a_candidate_of_which_nothing_can_be_said_is_rolled_back_when_its_time_is_over(stage):
    stage.serve_first()
    odd = stage.world.candidate("odd", loss=0.015, noise=0.2)
    assert stage.until(lambda s: s.settled and s.world.rejected(odd), days=40)
    assert "Inconclusive" in stage.status.rejected[-1].because
    assert stage.status.rejected[-1].at - stage.world.splits[1][0] >= 28 * DAY


def test_a_candidate_that_errs_is_rolled_back_in_its_canary(stage):
    stage.serve_first()
    bad = stage.world.candidate("bad", errors=0.1)
    assert stage.until(lambda s: s.settled and s.world.rejected(bad), days=40)
    assert "errors" in stage.status.rejected[-1].because
    assert max(split.weights.get(bad, 0) for _, split in stage.world.splits) == 20


def test_a_slow_candidate_is_rolled_back_in_its_canary(stage):
    stage.serve_first()
    slow = stage.world.candidate("slow", slow=3.0)
    assert stage.until(lambda s: s.settled and s.world.rejected(slow), days=40)
    assert "latency" in stage.status.rejected[-1].because


def test_predictions_that_are_no_numbers_end_a_shadow_at_once(stage):
    stage.serve_first()
    insane = stage.world.candidate("insane", nan=True)
    assert stage.until(lambda s: s.settled and s.world.rejected(insane), days=2)
    assert "not finite" in stage.status.rejected[-1].because


def test_a_candidate_that_is_never_ready_is_rolled_back_without_traffic(stage):
    stage.serve_first()
    dead = stage.world.candidate("dead", ready=False)
    assert stage.until(lambda s: s.settled and s.world.rejected(dead), days=1, step=timedelta(minutes=1))
    assert all(dead not in split.weights and split.mirror != dead for _, split in stage.world.splits)


def test_abort_takes_all_traffic_away_in_one_look(stage):
    first = stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 50)
    stage.world.order("abort", second)
    stage.look()
    assert stage.world.weight(second) == 0
    assert stage.world.weight(first) == 100
    assert stage.world.rejected(second)


def test_abort_works_while_the_registry_is_down_and_the_bar_is_set_later(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    stage.world.order("abort", second)
    stage.world.down.add("registry")
    stage.tick()
    assert stage.world.weight(second) == 0
    assert not stage.world.rejected(second)
    stage.world.down.clear()
    stage.tick()
    assert stage.world.rejected(second)
    assert stage.settled


def test_undo_brings_the_previous_revision_back_and_bars_the_undone(stage):
    first = stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.status.stable.revision == second)
    stage.world.order("undo", second)
    stage.tick()
    assert stage.world.weight(first) == 100
    assert stage.status.stable.revision == first
    assert stage.world.rejected(second)
    assert not stage.until(lambda s: s.status.in_flight, days=3)


def test_retry_lets_a_rejected_revision_in_again_once(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    stage.tick()
    stage.world.order("abort", second, id="a")
    stage.tick()
    stage.tick()
    assert stage.settled
    stage.world.order("retry", second, id="r")
    stage.tick()
    assert stage.status.candidate.revision == second
    assert stage.status.attempt == 1
    stage.world.order("abort", second, id="b")
    stage.tick()
    stage.world.order("retry", second, id="r")
    stage.tick()
    assert stage.settled


def test_a_retry_of_what_is_not_rejected_is_spent(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    stage.tick()
    stage.world.order("retry", second, id="too soon")
    stage.tick()
    stage.world.models[second].nan = True
    assert stage.until(lambda s: s.settled and s.world.rejected(second), days=3)
    assert not stage.until(lambda s: s.status.in_flight, days=2)


def test_suspend_stops_progress_and_never_safety(stage):
    stage.serve_first()
    bad = stage.world.candidate("bad", loss=0.08)
    stage.tick()
    stage.world.state.suspend("flights", True)
    assert stage.until(lambda s: s.world.rejected(bad), days=30)
    stage.world.candidate("third")
    assert not stage.until(lambda s: s.status.in_flight, days=2)
    stage.world.state.suspend("flights", False)
    stage.tick()
    assert stage.status.in_flight


def test_a_step_does_not_age_while_suspended(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    before = stage.status.step.elapsed_s
    stage.world.state.suspend("flights", True)
    stage.until(lambda s: False, days=30, step=12 * HOUR)
    assert stage.status.step.elapsed_s == before
    stage.world.state.suspend("flights", False)
    assert stage.until(lambda s: s.status.stable.revision == second)


def test_only_the_newest_candidate_waits(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    stage.tick()
    stage.world.candidate("third")
    fourth = stage.world.candidate("fourth")
    stage.until(lambda s: False, days=3)
    assert stage.status.candidate.revision == second
    stage.world.order("abort", second)
    stage.tick()
    stage.tick()
    assert stage.status.candidate.revision == fourth


def test_a_foreign_edit_of_the_route_is_mended(stage):
    first = stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    stage.world.split_now = type(stage.world.split_now)({first: 50, second: 50})
    stage.tick()
    assert stage.world.weight(second) == 20


def test_a_server_that_dies_in_its_canary_is_rolled_back(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    server = stage.world.servers_up[second]
    stage.world.servers_up[second] = type(server)(second, type(server.state).NOT_READY, 31.0, 1, "exit 1")
    stage.tick()
    assert stage.world.weight(second) == 0
    assert "not ready" in stage.status.rejected[-1].because


def test_a_server_that_keeps_dying_is_rolled_back(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    server = stage.world.servers_up[second]
    stage.world.servers_up[second] = type(server)(second, server.state, 1.0, 3)
    stage.tick()
    assert "died 3 times" in stage.status.rejected[-1].because


def test_a_candidate_that_answers_too_little_is_rolled_back_whatever_its_checks_say(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    stage.world.models[second].errors = 0.6
    assert stage.until(lambda s: s.world.rejected(second), days=1, step=timedelta(minutes=40))


def test_while_the_collector_is_down_no_time_passes_for_a_step(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    before = stage.status.step.elapsed_s
    stage.world.down.add("evidence")
    stage.until(lambda s: False, days=6)
    assert stage.status.step.elapsed_s <= before + 3600
    assert stage.world.weight(second) == 20
    stage.world.down.clear()
    assert stage.until(lambda s: s.status.stable.revision == second, days=20)


def test_evidence_that_was_lost_ends_inconclusive_and_spends_no_alpha_twice(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: any(c.units >= 5 for c in s.status.checks if c.name == "loss"))
    stage.world.lost_blocks = 2
    assert stage.until(lambda s: s.world.rejected(second), days=40)
    assert "EvidenceLost" in stage.status.rejected[-1].because


def test_a_jump_of_the_clock_promotes_nothing(stage):
    stage.serve_first()
    second = stage.world.candidate("second")
    assert stage.until(lambda s: s.world.weight(second) == 20)
    elapsed = stage.status.step.elapsed_s
    stage.world.clock.by(timedelta(days=300))
    stage.tick()
    assert stage.status.step.elapsed_s <= elapsed + 12 * 3600
    assert stage.world.weight(second) == 20


def test_a_look_at_which_nothing_changed_decides_nothing(stage):
    stage.serve_first()
    stage.tick()
    before = stage.world.kill.writes
    first = stage.tick()
    assert stage.tick() is first
    assert stage.world.kill.writes == before


def test_the_second_candidate_of_an_episode_has_half_the_alpha_to_pass(stage):
    stage.serve_first()
    for digest in ("second", "third"):
        revision = stage.world.candidate(digest)
        stage.tick()
        stage.tick()
        assert stage.status.candidate.revision == revision
        stage.world.order("abort", revision, id=digest)
        stage.tick()
        stage.tick()
    assert stage.status.entered == 2

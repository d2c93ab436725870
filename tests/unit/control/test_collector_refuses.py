"""A collector that refuses the questions, since it lost what it knew, stops no order and ends no loop."""

import pytest

from trimtab.api.errors import InputRefused

QUESTIONS = ("paired", "requests", "latencies", "agreement", "scored")


@pytest.fixture
def forgetful(stage, monkeypatch):
    """A stage in mid-shadow whose collector answers that the revisions are unknown."""
    stage.serve_first()
    stage.world.candidate("next", loss=0.0)
    assert stage.until(lambda s: s.status.step is not None, days=5)

    def unknown(*_, **__):
        raise InputRefused("the revision is unknown here")

    evidence = stage.loop.rollout._observing._judging._evidence
    for question in QUESTIONS:
        monkeypatch.setattr(evidence, question, unknown)
    return stage


def test_an_abort_is_obeyed(forgetful):
    candidate = forgetful.status.candidate.revision
    forgetful.world.order("abort", candidate)
    assert forgetful.until(lambda s: s.status.candidate is None, days=1)
    assert forgetful.world.rejected(candidate)


def test_the_loop_says_so_and_goes_on(forgetful):
    assert not forgetful.until(lambda s: s.status.candidate is None, days=2)
    assert "unknown" in forgetful.loop.tick().trouble


def test_a_collector_that_forgot_is_told_again(forgetful, monkeypatch):
    told = []
    evidence = forgetful.loop.rollout._observing._judging._evidence
    monkeypatch.setattr(evidence, "observe", lambda revision, profile: told.append(revision))
    assert not forgetful.until(lambda s: s.status.candidate is None, days=2)
    assert {forgetful.status.stable.revision, forgetful.status.candidate.revision} <= set(told)

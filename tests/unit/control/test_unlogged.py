"""What the gateway saw fail and nobody logged counts as an error, once."""

from hypothesis import given
from hypothesis import strategies as st

from trimtab.control.unlogged import Unlogged, follow
from trimtab.ports.gateway import Sent


def sent(failed, epoch="a"):
    return Sent(epoch, 1000, failed, 0, 0)


def test_failures_before_the_step_are_nobodys():
    held, new = follow(None, sent(7), 0)
    assert (held.failed, new) == (0, 0)


def test_a_failure_with_an_event_is_not_counted_twice():
    held, _ = follow(None, sent(0), 0)
    held, _ = follow(held, sent(5), 5)
    held, new = follow(held, sent(5), 5)
    assert new == 0


def test_a_failure_that_nobody_logged_is_told_a_look_later_and_once():
    held, _ = follow(None, sent(0), 0)
    held, new = follow(held, sent(4), 1)
    assert new == 0
    held, new = follow(held, sent(4), 1)
    assert new == 3
    held, new = follow(held, sent(4), 1)
    assert new == 0


def test_a_gateway_that_started_again_counts_on():
    held, _ = follow(None, sent(90), 0)
    held, _ = follow(held, sent(2, epoch="b"), 0)
    _, new = follow(held, sent(2, epoch="b"), 0)
    assert new == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_in_the_end_all_that_was_not_logged_is_told_and_no_more(steps):
    held, _ = follow(None, sent(0), 0)
    failed = logged = told = 0
    for more_failed, unlogged in steps:
        failed += more_failed
        logged += max(0, more_failed - unlogged)
        held, new = follow(held, sent(failed), logged)
        told += new
    for _ in range(2):
        held, new = follow(held, sent(failed), logged)
        told += new
    assert told == failed - logged
    assert Unlogged.held({"gateway": {"candidate": held.to_json()}}, "candidate") == held

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from trimtab.sequential import Bounds, Verdict, judge

bound = st.tuples(st.floats(-2, 2), st.floats(-2, 2)).map(lambda b: Bounds(min(b), max(b)))


@given(bound, st.floats(0.001, 1))
def test_pass_and_fail_are_decided_by_the_bounds(bounds, margin):
    verdict = judge(bounds, margin)
    assert (verdict is Verdict.PASS) == (bounds.upper < margin)
    assert (verdict is Verdict.FAIL) == (bounds.lower > 0 and bounds.upper >= margin)


@given(bound, bound, st.floats(0.001, 1))
def test_a_pass_once_reached_stays(before, now, margin):
    if judge(before, margin) is Verdict.PASS:
        assert judge(before.tighten(now), margin) is Verdict.PASS


@given(bound)
def test_superiority_asks_for_more_than_no_harm(bounds):
    if judge(bounds, margin=-0.1) is Verdict.PASS:
        assert judge(bounds, margin=0.1) is Verdict.PASS


def test_no_evidence_is_inconclusive():
    assert judge(Bounds(-inf, inf), 0.02) is Verdict.INCONCLUSIVE

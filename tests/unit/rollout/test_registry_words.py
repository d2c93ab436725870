"""What outlives a status: rejections, and the status that is rebuilt from what is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.rollout import Newest, Ordered, Routed
from trimtab.rollout.rebuilding import rebuilt
from trimtab.rollout.rejection import (
    rejected_key,
    rejected_value,
    retried_key,
    retried_value,
    standing,
    without,
)


def test_a_rejection_holds_until_a_retry_and_a_later_one_holds_again():
    tags = {rejected_key("f"): rejected_value("worse", 0)}
    assert standing("f", tags).rejected == "worse"
    assert standing("other", tags).rejected is None
    tags[retried_key("f")] = retried_value(tags.get(retried_key("f")), "order-1")
    assert standing("f", tags).rejected is None
    assert standing("f", tags).attempt == 1
    tags[rejected_key("f")] = rejected_value("worse again", 1)
    assert standing("f", tags).rejected == "worse again"


def test_a_rejection_is_of_one_revision_of_a_version():
    one, other = "0000aaaa", "0000bbbb"
    tags = {rejected_key("f"): rejected_value("worse", 0, one)}
    assert standing("f", tags, one).rejected == "worse"
    assert standing("f", tags, other).rejected is None
    assert standing("f", tags).rejected == "worse"
    tags[rejected_key("f")] = rejected_value("slow", 0, other, tags[rejected_key("f")])
    assert [standing("f", tags, revision).rejected for revision in (one, other)] == ["worse", "slow"]
    tags[retried_key("f")] = retried_value(None, "an order", other)
    assert [standing("f", tags, revision).rejected for revision in (one, other)] == ["worse", None]
    assert standing("f", tags, other).retried_by == ("an order",)
    assert standing("f", tags, one).retried_by == ()
    left = without(tags[rejected_key("f")], other)
    assert standing("f", {rejected_key("f"): left}, one).rejected == "worse"
    assert without(left, one) is None


def test_a_bar_set_before_revisions_were_told_apart_is_of_all():
    tags = {rejected_key("f"): rejected_value("worse", 0)}
    assert standing("f", tags, "0000aaaa").rejected == standing("f", tags, "0000bbbb").rejected == "worse"
    tags[retried_key("f")] = "an-order"
    assert standing("f", tags, "0000aaaa").rejected is None


@given(st.lists(st.sampled_from(["0000aaaa", "0000bbbb", "0000cccc"]), max_size=60))
def test_the_tag_stays_small_and_the_last_word_counts(refused):
    text = None
    for number, revision in enumerate(refused):
        text = rejected_value(f"no {number}", 0, revision, text)
    for revision in refused:
        last = max(number for number, other in enumerate(refused) if other == revision)
        assert standing("f", {rejected_key("f"): text}, revision).rejected == f"no {last}"
    assert text is None or len(text) < 300


@pytest.mark.parametrize("text", ["by hand", "[]", "{}", '{"because": "x", "attempt": "many"}', ""])
def test_words_that_are_not_ours_bar_for_good(text):
    assert standing("f", {rejected_key("f"): text, retried_key("f"): "a,b"}).rejected == text


def newest(scene, name, version, rejected=None):
    return Newest(scene.ref(name, version), rejected)


def test_who_serves_alone_is_stable_and_who_the_registry_names_was(scene):
    known = [newest(scene, "old", "1"), newest(scene, "new", "2")]
    status = rebuilt(Routed({"new": 100}), scene.ref("old"), known)
    assert (status.stable.revision, status.previous.revision) == ("new", "old")


def test_in_a_canary_the_registry_says_who_is_stable(scene):
    known = [newest(scene, "old", "1"), newest(scene, "bad", "2", "no"), newest(scene, "new", "3")]
    status = rebuilt(Routed({"old": 80, "new": 20}), scene.ref("old"), known)
    assert status.stable.revision == "old"
    assert status.previous is None
    assert status.entered == 1


def test_a_barred_one_that_serves_gives_way_to_the_one_named(scene):
    known = [newest(scene, "old", "1"), newest(scene, "bad", "2", "undone")]
    assert rebuilt(Routed({"bad": 100}), scene.ref("old"), known).stable.revision == "old"


def test_a_barred_one_that_serves_goes_on_where_there_is_no_other(scene):
    known = [newest(scene, "bad", "1", "no")]
    assert rebuilt(Routed({"bad": 100}), None, known).stable.revision == "bad"
    assert rebuilt(Routed({"bad": 100}), scene.ref("bad"), known).stable.revision == "bad"


def test_a_stranger_on_the_route_is_not_trusted(scene):
    assert rebuilt(Routed({"stranger": 100}), scene.ref("old"), []).stable.revision == "old"
    assert rebuilt(Routed({"stranger": 100}), None, []).stable is None


@pytest.mark.parametrize(
    ("verb", "spent"),
    [("approve", True), ("promote", True), ("abort", False), ("undo", False), ("retry", False)],
)
def test_what_let_something_through_before_the_status_was_lost_does_so_no_more(scene, verb, spent):
    order = Ordered("a1", verb, "new", "", "Ann")
    for status in (rebuilt(None, scene.ref("old"), [], order), rebuilt(None, None, [], order)):
        assert status.acts == (("a1",) if spent else ())

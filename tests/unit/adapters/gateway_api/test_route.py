"""A split becomes one HTTPRoute, and the route says which split it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import ParentRef, RouteSpec
from trimtab.adapters.gateway_api.conflicts import Rivals
from trimtab.adapters.gateway_api.route import Leg, digest, named, route, route_spec, split_of, told
from trimtab.adapters.gateway_api.spec import duration, hostnames, matches
from trimtab.adapters.gateway_api.standing import hollow_services, standing
from trimtab.ports.gateway import Split

PLACE = Place("ml", "flights", "uid-1")
PARENT = ParentRef("public", "gateways", "https")
SPEC = RouteSpec((PARENT,), ("models.example.com",), "flights")
LEGS = {name: Leg(f"flights-{name}-predictor") for name in ("aaaa1111", "bbbb2222", "cccc3333")}


@st.composite
def splits(draw):
    share = draw(st.integers(0, 100))
    weights = {name: w for name, w in (("aaaa1111", share), ("bbbb2222", 100 - share)) if w}
    percent = draw(st.integers(1, 100))
    mirror = draw(st.sampled_from([None, "bbbb2222", "cccc3333"]))
    return Split(weights, mirror, percent if mirror else 0)


@given(splits())
def test_what_is_built_says_which_split_it_is(split):
    built = route(PLACE, SPEC, split, LEGS)
    assert split_of(built) == split
    assert told(built).split == split


@given(splits())
def test_weights_sum_to_100_in_every_rule_and_nothing_at_0_is_named(split):
    for spec in (SPEC, replace(SPEC, match="Host")):
        for rule in route_spec(PLACE, spec, split, LEGS)["rules"]:
            assert sum(ref["weight"] for ref in rule["backendRefs"]) == 100
            assert min(ref["weight"] for ref in rule["backendRefs"]) > 0


@given(splits())
def test_building_on_what_was_built_changes_nothing(split):
    once = route(PLACE, SPEC, split, LEGS)
    assert route(PLACE, SPEC, split, LEGS, once) == once


def test_labels_and_annotations_of_others_stay():
    held = route(PLACE, SPEC, Split({"aaaa1111": 100}), LEGS)
    held["metadata"]["labels"]["team"] = "ops"
    held["metadata"]["annotations"]["note"] = "x"
    held["metadata"]["ownerReferences"].append({"kind": "Thing", "uid": "u2"})
    fresh = route(PLACE, SPEC, Split({"bbbb2222": 100}), LEGS, held)["metadata"]
    assert fresh["labels"]["team"] == "ops"
    assert fresh["annotations"]["note"] == "x"
    assert {one["uid"] for one in fresh["ownerReferences"]} == {"uid-1", "u2"}


def test_a_full_mirror_states_no_percent_so_that_older_gateways_know_it():
    [rule] = route_spec(PLACE, SPEC, Split({"aaaa1111": 100}, "bbbb2222", 100), LEGS)["rules"]
    assert "percent" not in rule["filters"][0]["requestMirror"]
    [rule] = route_spec(PLACE, SPEC, Split({"aaaa1111": 100}, "bbbb2222", 10), LEGS)["rules"]
    assert rule["filters"][0]["requestMirror"]["percent"] == 10


def test_a_model_s_paths_are_its_own_and_no_neighbour_s():
    paths = [(one["path"]["type"], one["path"]["value"]) for one in matches(SPEC)]
    assert paths == [
        ("Exact", "/v1/models/flights"),
        ("Exact", "/v1/models/flights:predict"),
        ("Exact", "/v1/models/flights:explain"),
        ("PathPrefix", "/v2/models/flights"),
    ]
    assert matches(replace(SPEC, model_name="flüge 2"))[3]["path"]["value"] == "/v2/models/fl%C3%BCge%202"


def test_grpc_is_the_first_rule_where_the_host_is_the_model_s_own_and_every_server_speaks_it():
    split = Split({"aaaa1111": 60, "bbbb2222": 40}, "cccc3333", 30)
    speaking = {name: replace(leg, grpc=8081) for name, leg in LEGS.items()}
    own_host = replace(SPEC, match="Host")
    first, second = route_spec(PLACE, own_host, split, speaking)["rules"]
    assert {ref["port"] for ref in first["backendRefs"]} == {8081}
    assert first["filters"][0]["requestMirror"]["backendRef"]["port"] == 8081
    assert {ref["port"] for ref in second["backendRefs"]} == {80}
    assert len(route_spec(PLACE, own_host, split, {**speaking, "cccc3333": LEGS["cccc3333"]})["rules"]) == 1
    assert len(route_spec(PLACE, SPEC, split, speaking)["rules"]) == 1


def test_callers_of_the_cluster_are_split_too_unless_that_is_not_wished():
    assert hostnames(SPEC, "flights", "ml") == [
        "models.example.com",
        "flights.ml",
        "flights.ml.svc",
        "flights.ml.svc.cluster.local",
    ]
    assert hostnames(replace(SPEC, in_cluster=False), "flights", "ml") == ["models.example.com"]
    assert hostnames(replace(SPEC, hostnames=()), "flights", "ml") == []


@given(st.floats(0.001, 86_400))
def test_a_timeout_is_written_as_the_api_server_takes_it(seconds):
    import re

    assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", duration(seconds))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        '{"weights": 3}',
        '{"weights": {"a": 100}, "mirror": null, "percent": 0, "legs": {}}',
    ],
)
def test_an_annotation_that_is_not_ours_tells_nothing(text):
    built = route(PLACE, SPEC, Split({"aaaa1111": 100}), LEGS)
    built["metadata"]["annotations"]["trimtab.dev/split"] = text
    assert told(built) is None
    assert split_of(built) == Split({"flights-aaaa1111-predictor": 100})


def test_a_service_that_nobody_told_us_of_stands_under_its_own_name():
    built = route(PLACE, SPEC, Split({"aaaa1111": 100}), LEGS)
    built["spec"]["rules"][0]["backendRefs"] += [{"name": "theirs", "port": 80, "weight": 7}]
    assert split_of(built).weights == {"aaaa1111": 100, "theirs": 7}
    assert digest(built["spec"]) != built["metadata"]["annotations"]["trimtab.dev/written"]


def seen_by(*conditions, generation=2, parent=None):
    ref = parent or {"name": "public", "namespace": "gateways", "sectionName": "https"}
    return {
        "metadata": {"namespace": "ml", "generation": generation},
        "status": {"parents": [{"parentRef": ref, "conditions": list(conditions)}]},
    }


def said(kind, status="True", seen=2, reason="Accepted", message=""):
    return {"type": kind, "status": status, "observedGeneration": seen, "reason": reason, "message": message}


def test_a_route_is_accepted_only_for_our_parent_and_at_its_own_generation():
    yes = (said("Accepted"), said("ResolvedRefs"))
    assert standing(seen_by(*yes), [PARENT]).accepted is True
    assert standing(seen_by(*yes, generation=3), [PARENT]).accepted is None
    other = seen_by(*yes, parent={"name": "public", "namespace": "gateways", "sectionName": "http"})
    assert standing(other, [PARENT]).accepted is None
    assert standing(seen_by(*yes), [PARENT, ParentRef("second")]).accepted is None
    assert standing(seen_by(said("Accepted")), [PARENT]).accepted is None


def test_a_refusal_carries_the_gateway_s_words():
    stands = standing(
        seen_by(
            said("Accepted"),
            said("ResolvedRefs", "False", reason="BackendNotFound", message="no such Service"),
        ),
        [PARENT],
    )
    assert (stands.accepted, stands.reason, stands.message) == (False, "BackendNotFound", "no such Service")


def test_a_service_without_endpoints_is_no_refusal_but_is_seen():
    hollow = said(
        "BackendsAvailable",
        "False",
        reason="EndpointsNotFound",
        message="none for the Service ml/b-predictor",
    )
    stands = standing(seen_by(said("Accepted"), said("ResolvedRefs"), hollow), [PARENT])
    assert stands.accepted is True
    assert hollow_services(stands.hollow, ["a-predictor", "b-predictor"]) == {"b-predictor"}
    assert hollow_services("", ["a-predictor"]) == frozenset()
    assert hollow_services("some Service", ["a-predictor"]) == {"a-predictor"}


def aged(name, created, namespace="ml", **spec):
    built = route(replace(PLACE, namespace=namespace, rollout=name), SPEC, Split({"aaaa1111": 100}), LEGS)
    built["metadata"] |= {"creationTimestamp": created, "uid": name}
    built["spec"] |= spec
    return built


class Routes:
    """A cluster that holds routes, and counts how often all are gone through."""

    def __init__(self, *routes):
        self.routes, self.lists = routes, 0

    def list(self, kind, namespace, labels=None):
        self.lists += 1
        return self.routes


def older(ours, *others):
    return Rivals(Routes(ours, *others)).older(ours, [PARENT])


def test_the_older_route_of_the_same_host_and_match_wins():
    ours = aged("flights", "2026-11-02T00:00:00Z")
    theirs = aged("theirs", "2026-11-01T00:00:00Z", namespace="other")
    assert older(ours, theirs) == ["other/theirs-trimtab"]
    assert older(theirs, ours) == []
    assert older(ours, aged("b", "2026-11-01T00:00:00Z", hostnames=["else.example.com"])) == []
    assert older(ours, aged("b", "2026-11-01T00:00:00Z", parentRefs=[{"name": "private"}])) == []


def test_all_routes_are_gone_through_once_a_minute_however_many_ask():
    now = [0.0]
    theirs = aged("theirs", "2026-11-01T00:00:00Z", namespace="other")
    cluster = Routes(theirs, *(aged(f"r{n}", f"2026-11-02T00:00:{n:02}Z") for n in range(20)))
    rivals = Rivals(cluster, lambda: now[0])
    for ours in cluster.routes[1:]:
        assert "other/theirs-trimtab" in rivals.older(ours, [PARENT])
    assert cluster.lists == 1
    now[0] = 59.0
    new = aged("new", "2026-11-03T00:00:00Z")
    cluster.routes = (*cluster.routes[1:], new)
    assert "other/theirs-trimtab" not in rivals.older(
        new, [PARENT]
    )  # one that was not there yet is looked up
    assert cluster.lists == 2
    now[0] = 120.0
    cluster.routes = (new,)
    assert rivals.older(new, [PARENT]) == []
    assert cluster.lists == 3


def test_a_revision_is_named_once():
    assert named(Split({"b": 50, "a": 50}, "a", 10)) == ["a", "b"]
    assert named(Split({"a": 100, "b": 0})) == ["a"]

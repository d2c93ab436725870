"""What is read of a route is read anew of each version of it, and only then."""

from dataclasses import replace
from typing import Any

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api.route import Leg, preview_route, route
from trimtab.adapters.gateway_api.routes import Routes
from trimtab.adapters.gateway_api.spec import ParentRef, RouteSpec
from trimtab.ports.gateway import Split

PLACE = Place("ml", "flights", "uid")
SPEC = RouteSpec((ParentRef("public", "gateways"),), ("models.example.com",), "flights", "Host", False, 60.0)
LEGS = {"a": Leg("flights-a"), "b": Leg("flights-b")}


class Held:
    """A cache with the two routes of one rollout."""

    def __init__(self, *routes: Any) -> None:
        self.routes = {one["metadata"]["name"]: one for one in routes}

    def get(self, kind: object, namespace: str, name: str) -> Any:
        return self.routes.get(name)


def routes(*held: Any) -> tuple[Routes, Held]:
    cluster = Held(*held)
    return Routes(cluster, PLACE, SPEC), cluster  # type: ignore[arg-type]


def test_a_new_version_is_read_anew() -> None:
    read, cluster = routes(before := route(PLACE, SPEC, Split({"a": 100}), LEGS))
    assert dict(read.split(before, None).weights) == {"a": 100}
    assert read.split(before, None) is read.split(before, None)
    cluster.routes["flights-trimtab"] = after = route(PLACE, SPEC, Split({"a": 80, "b": 20}), LEGS)
    assert read.first() is after
    assert dict(read.split(after, None).weights) == {"a": 80, "b": 20}
    assert dict(read.split(before, None).weights) == {"a": 100}


def test_a_second_host_that_comes_is_seen_beside_the_same_first_route() -> None:
    split = replace(Split({"a": 100}), preview="b", preview_host="try.example.com")
    first, preview = route(PLACE, SPEC, split, LEGS), preview_route(PLACE, SPEC, split, LEGS)
    read, _ = routes(first, preview)
    assert read.split(first, None).preview is None
    assert read.split(first, read.preview()).preview == "b"


def test_what_was_found_sound_is_so_for_these_very_objects() -> None:
    first = route(PLACE, SPEC, Split({"a": 100}), LEGS)
    read, _ = routes(first)
    assert not read.sound(first, None)
    read.found_sound(first, None)
    assert read.sound(first, None)
    assert not read.sound(dict(first), None)
    assert not read.sound(first, dict(first))


def test_a_route_of_somebody_else_is_no_preview_of_ours() -> None:
    theirs = {"metadata": {"name": "flights-trimtab-preview", "labels": {"app": "theirs"}}}
    read, _ = routes(theirs)
    assert read.preview() is None

"""A rollout's two routes as the cluster holds them, each version of them read once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from trimtab.adapters.children import ROLLOUT, Place
from trimtab.adapters.gateway_api.conflicts import Claim, Taken, claimed
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import named, preview_name, route_name, split_of, told
from trimtab.adapters.gateway_api.spec import RouteSpec
from trimtab.adapters.gateway_api.standing import Standing, hollow_services, standing
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.gateway import Split

T = TypeVar("T")


class Routes:
    """What they are, say, and are told of by gateways.

    What is read of an object is kept as long as the cluster gives the very same one: a cache never changes what it
    has given.
    """

    def __init__(self, cluster: Cluster, place: Place, spec: RouteSpec) -> None:
        self._cluster, self._place, self._spec = cluster, place, spec
        self._known: dict[str, tuple[tuple[Object | None, ...], Any]] = {}
        self._sound: tuple[Object, Object | None] | None = None

    def first(self) -> Object | None:
        """The one that everybody's requests take."""
        return self._cluster.get(HTTP_ROUTE, self._place.namespace, route_name(self._place.rollout))

    def preview(self) -> Object | None:
        """The one of a second host, where it is ours."""
        held = self._cluster.get(HTTP_ROUTE, self._place.namespace, preview_name(self._place.rollout))
        ours = held is not None and (held["metadata"].get("labels") or {}).get(ROLLOUT) == self._place.label
        return held if ours else None

    def standing(self, held: Object) -> Standing:
        """What our gateways say of one."""
        name = f"standing of {held['metadata']['name']}"
        return self._once(name, (held,), lambda: standing(held, self._spec.parents))

    def split(self, first: Object, preview: Object | None) -> Split:
        """What both do, as far as they say themselves."""
        return self._once("split", (first, preview), lambda: self._split(first, preview))

    def claimed(self, first: Object) -> tuple[Claim, frozenset[Taken]]:
        """What it takes among the routes of others."""
        return self._once("claimed", (first,), lambda: claimed(first, self._spec.parents))

    def sound(self, first: Object, preview: Object | None) -> bool:
        """Whether they were found to be as they should."""
        return self._sound is not None and _same(self._sound, (first, preview))

    def found_sound(self, first: Object, preview: Object | None) -> None:
        self._sound = first, preview

    def _split(self, first: Object, preview: Object | None) -> Split:
        found, known = split_of(first), told(first)
        services = {leg.service: revision for revision, leg in known.legs.items()} if known else {}
        hollow = hollow_services(self.standing(first).hollow, list(services))
        if preview is not None and (names := named(split_of(preview))):
            host = next(iter(preview["spec"].get("hostnames") or []), "")
            found = replace(found, preview=names[0], preview_host=host)
        return replace(found, empty=frozenset(services[name] for name in hollow))

    def _once(self, what: str, of: tuple[Object | None, ...], read: Callable[[], T]) -> T:
        known = self._known.get(what)
        if known is None or not _same(known[0], of):
            known = self._known[what] = of, read()
        found: T = known[1]
        return found


def _same(known: tuple[Object | None, ...], of: tuple[Object | None, ...]) -> bool:
    return all(one is other for one, other in zip(known, of, strict=True))

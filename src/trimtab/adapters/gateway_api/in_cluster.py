"""Service `<rollout>`, by which callers of the cluster come to the gateway, and so are split as all others are."""

from collections.abc import Callable, Sequence
from typing import Final

from trimtab.adapters.children import MANAGED_BY, ROLLOUT, Fact, Json, Place
from trimtab.adapters.gateway_api.gateways import Gateways, KnownGateway
from trimtab.adapters.gateway_api.kinds import SERVICE
from trimtab.adapters.gateway_api.listeners import Listener, listeners
from trimtab.adapters.gateway_api.spec import RouteSpec, in_cluster_names
from trimtab.ports.cluster import Cluster, Object, Refused

TYPE: Final = "InClusterAddress"
PLACED_FOR_S: Final = 600.0
"""A name that another's Service has taken is tried again after so long: that Service is not watched."""


class Entrance:
    """The Service of one rollout, kept as wished.

    Attributes:
        facts: InClusterAddress, as it was found when something was last new.
    """

    def __init__(self, cluster: Cluster, gateways: Gateways, clock_s: Callable[[], float]) -> None:
        self._cluster, self._gateways, self._clock_s = cluster, gateways, clock_s
        self._placed_s = float("-inf")
        self._known: object = None
        self.facts: Sequence[Fact] = ()

    def see_to(self, place: Place, spec: RouteSpec) -> None:
        """Place it where something is new of the wish, a Gateway or the Service itself, or much time has passed.

        Raises:
            SurroundingsFailed, Conflict
        """
        now = self._clock_s()
        if self._known != self._knows(place, spec) or now - self._placed_s >= PLACED_FOR_S:
            self.facts = (place_in_cluster(self._cluster, self._gateways, place, spec),)
            self._known, self._placed_s = self._knows(place, spec), now

    def _knows(self, place: Place, spec: RouteSpec) -> object:
        """All that it rests on, as watches tell it."""
        service = self._cluster.get(SERVICE, place.namespace, place.rollout)
        version = service["metadata"]["resourceVersion"] if service is not None else None
        return place, spec, [self._gateways.of(parent, place.namespace) for parent in spec.parents], version


def place_in_cluster(cluster: Cluster, gateways: Gateways, place: Place, spec: RouteSpec) -> Fact:
    """Make or mend the Service, or take away ours where it is not wished; what is so now.

    Args:
        cluster: watches what carries our labels; a Service of others it reads.

    Raises:
        SurroundingsFailed, Conflict
    """
    held = cluster.get(SERVICE, place.namespace, place.rollout)
    ours = held is not None and _is_ours(held, place)
    if not spec.in_cluster:
        if held is not None and ours:
            cluster.delete(
                SERVICE, place.namespace, place.rollout, uid=held["metadata"]["uid"], account=place.account
            )
        return Fact(TYPE, "False", "NotWished", "spec.route.inCluster is false")
    if not ours:
        held = cluster.read(SERVICE, place.namespace, place.rollout)
        ours = held is not None and _is_ours(held, place)
    if held is not None and not ours:
        return Fact(
            TYPE, "False", "NameTaken", f"Service '{place.rollout}' is there already, and is not ours"
        )
    found = _entrance(gateways, place, spec)
    if isinstance(found, Fact):
        return found
    namespace, name, listener, host = found
    wish = service(place, f"{name}.{namespace}.svc.cluster.local", listener.port, held)
    if held is None or not _same(held, wish):
        try:
            if held is not None:
                cluster.replace(wish, account=place.account)
            else:
                cluster.create(wish, account=place.account)
        except Refused as error:
            return Fact(TYPE, "False", "Refused", str(error))
    port = "" if listener.port == 80 else f":{listener.port}"
    return Fact(TYPE, "True", "LeadsToGateway", f"http://{host}{port}")


def service(place: Place, target: str, port: int, held: Object | None = None) -> Json:
    """The whole object; labels and annotations of others on the one that is held stay."""
    meta: Json = {**held["metadata"]} if held else {"name": place.rollout, "namespace": place.namespace}
    meta["labels"] = {**(meta.get("labels") or {}), **place.labels}
    if place.uid:
        others = [one for one in meta.get("ownerReferences") or [] if one.get("kind") != "ModelRollout"]
        meta["ownerReferences"] = [*others, *place.owners]
    spec: Json = {
        "type": "ExternalName",
        "externalName": target,
        "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": port}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _entrance(gateways: Gateways, place: Place, spec: RouteSpec) -> tuple[str, str, Listener, str] | Fact:
    """The Service of a gateway, and the listener that takes one of our names; else why there is none."""
    names = in_cluster_names(place.rollout, place.namespace)
    why = Fact(TYPE, "False", "NoGateway", "the route names no Gateway that is there")
    for parent in spec.parents:
        gateway: KnownGateway | None = gateways.of(parent, place.namespace)
        if gateway is None:
            continue
        # A listener's certificate is for its public name.
        taking = [
            (one, name)
            for name in names[1:]
            for one in listeners(gateway.held, parent)
            if one.takes(name) and not one.tls
        ]
        if not taking:
            why = Fact(
                TYPE, "False", "NoListener", f"no plain listener of '{gateway.name}' takes host {names[1]}"
            )
        elif gateway.service is None:
            why = Fact(TYPE, "False", "NoService", f"the Service in front of '{gateway.name}' is not known")
        else:
            return (*gateway.service, *taking[0])
    return why


def _is_ours(held: Object, place: Place) -> bool:
    labels = held["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY) == "trimtab" and labels.get(ROLLOUT) == place.label


def _same(held: Object, wish: Json) -> bool:
    ports = [(one.get("name"), one["port"]) for one in held["spec"].get("ports") or []]
    wished = [(one["name"], one["port"]) for one in wish["spec"]["ports"]]
    return (
        all(held["spec"].get(key) == wish["spec"][key] for key in ("type", "externalName"))
        and ports == wished
        and held["metadata"] == wish["metadata"]
    )

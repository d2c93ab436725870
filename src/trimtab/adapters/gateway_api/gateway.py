"""ports.Gateway over one HTTPRoute of the Gateway API, which is wholly ours.

Order: a Service is there before the route names it (a mirror to one that is not turns every request into a 500), and a
revision counts as in use until the route that no longer names it is accepted and has settled.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal, Protocol

from trimtab.adapters.children import Fact, Place
from trimtab.adapters.gateway_api.conflicts import Rivals
from trimtab.adapters.gateway_api.gateways import Gateways
from trimtab.adapters.gateway_api.in_cluster import Entrance
from trimtab.adapters.gateway_api.kinds import SERVICE
from trimtab.adapters.gateway_api.listeners import Listener, listeners, origin
from trimtab.adapters.gateway_api.mirrorings import Finding, Mirrorings
from trimtab.adapters.gateway_api.rejections import rejected_on, with_rejected
from trimtab.adapters.gateway_api.route import (
    Leg,
    named,
    preview_route,
    route,
    route_name,
    split_of,
    told,
)
from trimtab.adapters.gateway_api.routes import Routes
from trimtab.adapters.gateway_api.settling import Settling
from trimtab.adapters.gateway_api.spec import ParentRef, RouteSpec
from trimtab.adapters.gateway_api.writer import Writer
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.gateway import Mirroring, RouteRefused, Sent, Split, Tells
from trimtab.ports.state import Conflict

STATUS: Final[Mapping[bool | None, Literal["True", "False", "Unknown"]]] = {
    True: "True",
    False: "False",
    None: "Unknown",
}
H2C: Final = "kubernetes.io/h2c"
TELLS: Final = Tells(frozenset({"header"}), "an HTTPRoute can say no more than the exact value of a header")


class Address(Protocol):
    """Where a revision's Service is, in the rollout's namespace."""

    @property
    def service(self) -> str: ...
    @property
    def port(self) -> int: ...


class Counts(Protocol):
    """Requests that gateways sent."""

    def sent(
        self, place: Place, parents: Sequence[ParentRef], split: Split, services: Mapping[str, str]
    ) -> Mapping[str, Sent]:
        """By revision; without those of which nothing is known.

        Args:
            split: what the gateway was told last.
            services: of each revision that the split names.
        """


class GatewayApi:
    """One rollout's route. A rollout has one host name for callers of the port, which is not looked at.

    Args:
        backend: a revision's Service; None while it has none.
        settle_s: how long a gateway may take to do as it accepted.
        counts: the gateway's own counters, where they can be read.
        gateways: what Gateways there are; without them no Service in the cluster leads to one.
        mirrorings: whether they copy requests; without it that is taken for granted.
        rivals: who takes which requests, known once for all rollouts; default: for this one.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        place: Place,
        spec: RouteSpec,
        *,
        backend: Callable[[str], Address | None],
        settle_s: float = 10.0,
        counts: Counts | None = None,
        gateways: Gateways | None = None,
        mirrorings: Mirrorings | None = None,
        rivals: Rivals | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._place, self._spec = cluster, place, spec
        self._routes = Routes(cluster, place, spec)
        self._writer = Writer(cluster, place)
        self._settling = Settling(lambda held: self._routes.standing(held), settle_s, clock_s)
        self._backend, self._counts = backend, counts
        self._gateways, self._mirrorings = gateways, mirrorings
        self._entrance = Entrance(cluster, gateways, clock_s) if gateways is not None else None
        self._rivals = rivals or Rivals(cluster, clock_s)

    def respec(self, place: Place, spec: RouteSpec) -> None:
        """Route by another spec; `mend` writes it. The same one again, as each look gives it, changes nothing."""
        if (place, spec) != (self._place, self._spec):
            self._place, self._spec = place, spec
            self._routes = Routes(self._cluster, place, spec)
            self._writer.move(place)

    def split(self, host: str) -> Split | None:
        held = self._routes.first()
        if held is None:
            return None
        return replace(self._routes.split(held, self._routes.preview()), in_effect=self._all_settled(held))

    def apply(self, host: str, split: Split) -> None:
        """Raises RouteRefused too where the gateway has refused this very split."""
        _judge(split)
        if split.mirror and 0 < split.mirror_percent < 100 and not self._finding().shares:
            raise RouteRefused(
                f"the gateway copies all requests or none, not {split.mirror_percent} %: its class does not list "
                "HTTPRouteRequestPercentageMirror"
            )
        held = self._routes.first()
        legs = {revision: self._leg(revision) for revision in named(split)}
        if held is None:
            wish = route(self._place, self._spec, split, legs)
            made = self._writer.create(wish)
            if made is None:
                raise Conflict(f"HTTPRoute '{route_name(self._place.rollout)}' has just been made by another")
            self._writer.check(made, split, None)
            self._see_to_preview(split, legs)
            return
        self._writer.note_edit(held)
        wish = route(self._place, self._spec, split, legs, held)
        if wish["spec"] == held["spec"] and wish["metadata"] == held["metadata"]:
            stands = self._routes.standing(held)
            if stands.accepted is False:
                raise RouteRefused(f"{stands.reason}: {stands.message}")
        else:
            made = self._writer.replace(wish)
            if made is not None:
                self._writer.check(made, split, held)
        self._see_to_preview(split, legs)

    def sent(self, host: str) -> Mapping[str, Sent]:
        held = self._routes.first()
        known = told(held) if held is not None else None
        if self._counts is None or known is None:
            return {}
        services = {revision: leg.service for revision, leg in known.legs.items()}
        return self._counts.sent(self._place, self._spec.parents, known.split, services)

    def tells(self, host: str) -> Tells:
        return TELLS

    def mirroring(self, host: str) -> Mirroring:
        return self._finding().mirroring

    def probe(self, host: str, stable: str, candidate: str) -> None:
        """Which revisions are compared does not matter: marked requests go to the namespace's collector."""
        if self._mirrorings is not None:
            self._mirrorings.probe(self._place, self._spec)

    def in_cluster(self) -> None:
        """See to the Service `<rollout>`; called at each look.

        Raises:
            SurroundingsFailed, Conflict
        """
        if self._entrance is not None:
            self._entrance.see_to(self._place, self._spec)

    def mend(self) -> bool:
        """Write anew what the route was told last, where its spec says something else.

        Returns whether somebody had edited it; a new version of ours, or a new spec, is no edit.
        """
        if self._mirrorings is not None:
            self._mirrorings.tidy(self._place)
        held, preview = self._routes.first(), self._routes.preview()
        if held is None or self._routes.sound(held, preview) or (known := told(held)) is None:
            return False
        edited = self._writer.put_back(held, route(self._place, self._spec, known.split, known.legs, held))
        # A second host that cannot be must not keep anybody from looking after the first one.
        with suppress(RouteRefused):
            edited |= self._see_to_preview(known.split, known.legs)
            if (preview is None) == (known.split.preview is None):
                self._routes.found_sound(held, preview)
        return edited

    def in_use(self, revision: str) -> bool:
        """Whether the gateway may still send it something."""
        held = self._routes.first()
        if held is None:
            return False
        if (preview := self._routes.preview()) is not None and revision in named(split_of(preview)):
            return True
        return revision in named(split_of(held)) or not self._all_settled(held)

    def facts(self) -> tuple[Fact, ...]:
        """RouteAccepted and RouteEdited; PreviewAccepted once there has been one; and MirrorSupported,
        PairingSupported, InClusterAddress as far as asked."""
        edit = self._writer.edit
        edited = Fact("RouteEdited", "True", "PutBack", edit) if edit else None
        found = [self._accepted_fact(), edited or Fact("RouteEdited", "False", "AsTold")]
        if (preview := self._routes.preview()) is not None:
            stands = self._routes.standing(preview)
            found.append(Fact("PreviewAccepted", STATUS[stands.accepted], stands.reason, stands.message))
        elif self._settling.left:
            found.append(
                Fact("PreviewAccepted", "Unknown", "NoPreview", "no step asks for a second host now")
            )
        if self._mirrorings is not None:
            found += _mirror_facts(self._finding())
        return (*found, *(self._entrance.facts if self._entrance is not None else ()))

    def url(self) -> str:
        """Where the model answers from outside, by TLS where a listener speaks it; "" where the route names no host."""
        host = next((name for name in self._spec.hostnames if not name.startswith("*.")), None)
        if host is None:
            return ""
        path = "" if self._spec.match == "Host" else f"/v2/models/{self._spec.model_name}"
        return f"{origin(host, self._listener(host))}{path}"

    def reject(self, revision: str, because: str) -> None:
        """Note on the route that a revision stays out."""
        held, known = self._routes.first(), self.rejected()
        if held is not None and known.get(revision) != because:
            kept = {k: v for k, v in known.items() if k != revision}
            self._writer.replace(with_rejected(held, {**kept, revision: because}))

    def lift(self, revision: str) -> None:
        """Let a rejected revision in again."""
        held, kept = self._routes.first(), dict(self.rejected())
        if held is not None and kept.pop(revision, None) is not None:
            self._writer.replace(with_rejected(held, kept))

    def rejected(self) -> Mapping[str, str]:
        """Why a revision stays out, by revision, as noted on the route."""
        return rejected_on(self._routes.first())

    def _listener(self, host: str) -> Listener | None:
        """The one by which callers come to a host, best one of TLS; None while no Gateway is known to take it."""
        taking = [
            listener
            for parent in self._spec.parents
            if self._gateways and (known := self._gateways.of(parent, self._place.namespace)) is not None
            for listener in listeners(known.held, parent)
            if listener.takes(host)
        ]
        return next((one for one in taking if one.tls), taking[0] if taking else None)

    def _finding(self) -> Finding:
        if self._mirrorings is None:
            return Finding(Mirroring(True, True), "Supported")
        return self._mirrorings.of(self._spec.parents, self._place.namespace)

    def _see_to_preview(self, split: Split, legs: Mapping[str, Leg]) -> bool:
        """Make, mend or take away the second route; whether somebody had edited it."""
        held = self._routes.preview()
        if split.preview is None:
            if held is not None:
                self._writer.delete(held)
                self._settling.leave()
            return False
        if held is None:
            self._writer.create(preview_route(self._place, self._spec, split, legs))
            return False
        return self._writer.put_back(held, preview_route(self._place, self._spec, split, legs, held))

    def _leg(self, revision: str) -> Leg:
        """Raises RouteRefused unless the revision's Service is there."""
        address = self._backend(revision)
        if address is None:
            raise RouteRefused(f"revision '{revision}' has no Service")
        service = self._cluster.read(SERVICE, self._place.namespace, address.service)
        if service is None:
            raise RouteRefused(f"Service '{address.service}' of revision '{revision}' is not there")
        return Leg(address.service, address.port, _grpc_port(service, address.port))

    def _all_settled(self, held: Object) -> bool:
        """Whether gateways do as both routes say."""
        return self._settling.all_settled([one for one in (held, self._routes.preview()) if one is not None])

    def _accepted_fact(self) -> Fact:
        held = self._routes.first()
        if held is None:
            return Fact("RouteAccepted", "Unknown", "NoRoute", "no revision is routed yet")
        stands = self._routes.standing(held)
        if stands.accepted is None:
            return Fact("RouteAccepted", "Unknown", stands.reason, stands.message)
        if not stands.accepted:
            return Fact("RouteAccepted", "False", stands.reason, stands.message)
        if older := self._older(held):
            return Fact(
                "RouteAccepted",
                "False",
                "Conflicted",
                f"older routes take requests for the same host and match: {', '.join(older)}",
            )
        if stands.hollow:
            return Fact("RouteAccepted", "True", "EndpointsNotFound", stands.hollow)
        return Fact("RouteAccepted", "True", "Accepted")

    def _older(self, held: Object) -> list[str]:
        """Routes of others that win over ours."""
        return self._rivals.winning(held, *self._routes.claimed(held))


def _mirror_facts(found: Finding) -> list[Fact]:
    told = found.mirroring
    paired = told.paired if told.supported else None
    unpaired = told.because if told.supported else "it is not known that requests are copied"
    reason = found.reason if paired is not None else "NotProbed"
    return [
        Fact("MirrorSupported", STATUS[told.supported], found.reason, "" if told.supported else told.because),
        Fact("PairingSupported", STATUS[paired], reason, unpaired),
    ]


def _judge(split: Split) -> None:
    if sum(split.weights.values()) != 100 or min(split.weights.values()) < 0:
        raise RouteRefused(f"weights must be ≥ 0 and sum to 100, not {dict(split.weights)}")
    if not 0 <= split.mirror_percent <= 100 or (split.mirror is None and split.mirror_percent):
        raise RouteRefused(f"mirror {split.mirror} cannot get {split.mirror_percent} % of the requests")
    if split.audience is not None and split.audience.way not in TELLS.ways:
        raise RouteRefused(f"{split.audience.text}: {TELLS.because}")


def _grpc_port(service: Object, http: int) -> int | None:
    for port in (service.get("spec") or {}).get("ports") or []:
        name = str(port.get("name", "")).lower()
        if port["port"] != http and (port.get("appProtocol") == H2C or "grpc" in name or "h2c" in name):
            return int(port["port"])
    return None

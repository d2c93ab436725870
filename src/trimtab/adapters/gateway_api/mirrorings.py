"""Whether gateways copy requests: as their class lists it, else as marked requests have shown; for all rollouts.

Where no list is, a trial is made of each Gateway, by one rollout at a time: a route of the rollout's own account leads
one path to the namespace's collector and copies it there. What it showed holds for the Gateway's generation; a no is
forgotten after a while, since a controller may have been renewed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api.gateways import Gateways, KnownGateway
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE, SERVICE
from trimtab.adapters.gateway_api.listeners import addresses, listeners
from trimtab.adapters.gateway_api.marked import Ask, marked
from trimtab.adapters.gateway_api.probe import (
    COLLECTOR,
    PATH,
    Arrived,
    Asked,
    host_of,
    judged,
    nonce_of,
    probe_name,
    probe_route,
)
from trimtab.adapters.gateway_api.spec import ParentRef, RouteSpec, hostnames
from trimtab.adapters.gateway_api.standing import standing
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.cluster import Cluster, Refused
from trimtab.ports.gateway import Mirroring

MIRROR: Final = "HTTPRouteRequestMirror"
PERCENTAGE: Final = "HTTPRouteRequestPercentageMirror"
REFUSALS: Final = ("UnsupportedValue", "IncompatibleFilters")
ROUND: Final = 5
ROUND_S: Final = 3.0
ANSWER_S: Final = 1.0
LEFT_AFTER_S: Final = 60.0
"""A rollout that does not ask for so long has let go of its trial."""
GIVE_UP_S: Final = 180.0
NO_FOR_S: Final = 3600.0

Reach = Callable[[str, str, int], tuple[str, int]]
"""How (namespace, name, port) of a Gateway's listener is reached from where we run."""
Count = Callable[[str, str], Arrived]
"""What the collector of a namespace has counted of a nonce."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Attributes:
        reason: SupportedFeatures | Probed | Probing | NotListed | NoGateway.
        shares: whether a part of the requests may be copied, as listed; True where nothing is listed.
    """

    mirroring: Mirroring
    reason: str
    shares: bool = True


@dataclass(slots=True)
class _Trial:
    owner: Place
    began_s: float
    looked_s: float
    nonce: str = field(default_factory=lambda: uuid4().hex)
    asked: Asked = field(default_factory=Asked)
    because: str = "its first marked request is to be sent"


class Mirrorings:
    """One for all rollouts of a process. Any thread may ask; one rollout is looked at by one thread at a time.

    Args:
        reach: for an operator outside the cluster; default the Gateway's addresses, then its Service.
        clock_s: monotonic.
    """

    def __init__(
        self,
        cluster: Cluster,
        gateways: Gateways,
        *,
        count: Count,
        reach: Reach | None = None,
        ask: Ask = marked,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._gateways, self._count = cluster, gateways, count
        self._reach, self._ask, self._clock_s = reach, ask, clock_s
        self._lock = threading.Lock()
        self._proved: dict[str, tuple[int, float, Finding]] = {}
        self._trials: dict[str, _Trial] = {}

    def of(self, parents: Sequence[ParentRef], namespace: str) -> Finding:
        """What is known by now of those that a route names: the worst."""
        found = [self._of(parent, namespace) for parent in parents]
        for wanted in (False, None):
            for one in found:
                if one.mirroring.supported is wanted:
                    return one
        unpaired = [one for one in found if one.mirroring.paired is not True]
        return next(
            iter(unpaired or found), Finding(Mirroring(None, None, "the route names none"), "NoGateway")
        )

    def probe(self, place: Place, spec: RouteSpec) -> None:
        """Take the trial of the first Gateway that is not known a step further: at most one round of requests."""
        for parent in spec.parents:
            if self._of(parent, place.namespace).mirroring.supported is None:
                gateway = self._gateways.of(parent, place.namespace)
                if gateway is not None:
                    self._further(gateway, place, spec, parent)
                return

    def tidy(self, place: Place) -> None:
        """Delete the route of a trial that this rollout no longer makes. Called at each look."""
        held = self._cluster.get(HTTP_ROUTE, place.namespace, probe_name(place.rollout))
        if held is None:
            return
        with self._lock:
            under_way = any(
                trial.nonce == nonce_of(held) and self._clock_s() - trial.looked_s < LEFT_AFTER_S
                for trial in self._trials.values()
            )
        if not under_way:
            self._delete(place)

    def _of(self, parent: ParentRef, namespace: str) -> Finding:
        gateway = self._gateways.of(parent, namespace)
        if gateway is None:
            at = f"{parent.namespace or namespace}/{parent.name}"
            return Finding(
                Mirroring(None, None, f"there is no Gateway '{at}', or it cannot be read"), "NoGateway"
            )
        if gateway.features is not None:
            return _listed(gateway, gateway.features)
        with self._lock:
            proved, trial = self._proved.get(gateway.uid), self._trials.get(gateway.uid)
        if proved is not None and proved[0] == gateway.generation and self._clock_s() < proved[1]:
            return proved[2]
        if trial is not None:
            because = f"Gateway '{gateway.name}' is being probed: {trial.because}"
            return Finding(Mirroring(None, None, because), "Probing")
        because = f"the class of Gateway '{gateway.name}' lists no features, and it was not probed yet"
        return Finding(Mirroring(None, None, because), "NotListed")

    def _further(self, gateway: KnownGateway, place: Place, spec: RouteSpec, parent: ParentRef) -> None:
        trial = self._trial(gateway, place)
        if trial is None:
            return
        try:
            found = self._step(gateway, trial, spec, parent)
        except (SurroundingsFailed, InputRefused) as error:
            found, trial.because = None, str(error)
        if found is None and self._clock_s() - trial.began_s >= GIVE_UP_S:
            found = Mirroring(False, None, f"it could not be probed: {trial.because}")
        if found is None:
            return
        until_s = float("inf") if found.supported else self._clock_s() + NO_FOR_S
        with self._lock:
            self._proved[gateway.uid] = gateway.generation, until_s, Finding(found, "Probed")
            self._trials.pop(gateway.uid, None)
        self._delete(place)

    def _trial(self, gateway: KnownGateway, place: Place) -> _Trial | None:
        """This rollout's; None where another makes it."""
        now = self._clock_s()
        with self._lock:
            trial = self._trials.get(gateway.uid)
            same = trial is not None and (trial.owner.namespace, trial.owner.rollout) == (
                place.namespace,
                place.rollout,
            )
            if trial is not None and not same and now - trial.looked_s < LEFT_AFTER_S:
                return None
            if trial is None or not same or now - trial.looked_s >= LEFT_AFTER_S:
                trial = self._trials[gateway.uid] = _Trial(place, now, now)
            trial.owner, trial.looked_s = place, now
            return trial

    def _step(
        self, gateway: KnownGateway, trial: _Trial, spec: RouteSpec, parent: ParentRef
    ) -> Mirroring | None:
        place = trial.owner
        if self._cluster.read(SERVICE, place.namespace, COLLECTOR) is None:
            trial.because = f"namespace '{place.namespace}' has no Service '{COLLECTOR}' to lead requests to"
            return None
        if not self._routed(trial, spec, parent):
            return None
        held = self._cluster.get(HTTP_ROUTE, place.namespace, probe_name(place.rollout))
        stands = standing(held, [parent]) if held is not None else None
        if stands is None or stands.accepted is None:
            trial.because = "it has not looked at the probe's route yet"
            return None
        if not stands.accepted:
            trial.because = f"it refuses the probe's route: {stands.reason}: {stands.message}"
            return Mirroring(False, None, trial.because) if stands.reason in REFUSALS else None
        found = self._judged(trial)
        if found is not None:
            return found
        trial.asked = self._round(gateway, trial, hostnames(spec, place.rollout, place.namespace), parent)
        return self._judged(trial)

    def _routed(self, trial: _Trial, spec: RouteSpec, parent: ParentRef) -> bool:
        """Whether the route of this trial stands since an earlier look; else it is written."""
        place = trial.owner
        held = self._cluster.get(HTTP_ROUTE, place.namespace, probe_name(place.rollout))
        if held is not None and nonce_of(held) == trial.nonce:
            return True
        wish = probe_route(place, parent, hostnames(spec, place.rollout, place.namespace), trial.nonce)
        if held is not None:
            # Of a process before this one, or of a trial whose counts are lost.
            wish["metadata"] = {**held["metadata"], **wish["metadata"]}
            self._cluster.replace(wish, account=place.account)
        else:
            self._cluster.create(wish, account=place.account)
        trial.because = "its route was just made"
        return False

    def _judged(self, trial: _Trial) -> Mirroring | None:
        if not trial.asked.answered:
            return None
        arrived = self._count(trial.owner.namespace, trial.nonce)
        if arrived.requests < trial.asked.answered:
            trial.nonce, trial.asked = uuid4().hex, Asked()
            trial.because = "the collector lost its counts: it began anew"
            return None
        return judged(trial.asked, arrived)

    def _round(self, gateway: KnownGateway, trial: _Trial, hosts: Sequence[str], parent: ParentRef) -> Asked:
        end_s = self._clock_s() + ROUND_S
        asked, answered = trial.asked, 0
        trial.because = f"no listener of it takes {', '.join(hosts)}"
        for listener in sorted(listeners(gateway.held, parent), key=lambda one: one.tls):
            host = host_of(listener, hosts)
            if not host:
                continue
            for address, port in self._at(gateway, listener.port):
                for _ in range(ROUND):
                    left_s = min(ANSWER_S, end_s - self._clock_s())
                    if left_s <= 0:
                        break
                    try:
                        status = self._ask(address, port, PATH + trial.nonce, host, left_s, tls=listener.tls)
                    except OSError as error:
                        trial.because = f"{address}:{port} cannot be reached ({error})"
                        break
                    trial.because = f"{status or 'no answer'} came from {address}:{port} for host {host}"
                    answered += status == 204
                    asked = replace(asked, lost=asked.lost + (status is None))
                    if status is not None and status != 204:
                        break
                if answered:
                    return replace(asked, answered=asked.answered + answered, rounds=asked.rounds + 1)
        return asked

    def _at(self, gateway: KnownGateway, port: int) -> list[tuple[str, int]]:
        if self._reach is not None:
            meta = gateway.held["metadata"]
            return [self._reach(meta["namespace"], meta["name"], port)]
        found = [(address, port) for address in addresses(gateway.held)]
        if gateway.service is not None:
            namespace, name = gateway.service
            found.append((f"{name}.{namespace}.svc", port))
        return found

    def _delete(self, place: Place) -> None:
        # An account that may not delete leaves it: one path that leads to the collector.
        with suppress(Refused):
            self._cluster.delete(
                HTTP_ROUTE, place.namespace, probe_name(place.rollout), account=place.account
            )


def _listed(gateway: KnownGateway, features: frozenset[str]) -> Finding:
    if MIRROR in features:
        return Finding(Mirroring(True), "SupportedFeatures", PERCENTAGE in features)
    because = f"the class of Gateway '{gateway.name}' lists its features, and {MIRROR} is not among them"
    return Finding(Mirroring(False, None, because), "SupportedFeatures", shares=False)

"""What there is to decide on: the world as the ports show it, and the status grown by time and evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Keeping, Phase, RolloutStatus
from trimtab.control.candidacy import Candidacy
from trimtab.control.judging import Judging
from trimtab.control.starving import Starving
from trimtab.control.target import Target
from trimtab.control.unreached import Unreached
from trimtab.ports.gateway import Audiences, Gateway, Mirrors, Split
from trimtab.ports.servers import Server, Servers, ServerState
from trimtab.ports.state import State
from trimtab.rollout import Apart, Copies, Observed, Ordered, Routed, ServerSeen
from trimtab.rollout.capacity import lacking
from trimtab.rollout.elapsed import credited
from trimtab.rollout.traffic import wished


@dataclass(frozen=True, slots=True)
class Around:
    """The world of one rollout, without its status."""

    split: Split | None
    routed: Routed | None
    servers: Mapping[str, Server]
    order: Ordered | None
    suspended: bool
    copies: Copies
    apart: Apart


class Observing:
    """The eyes of one rollout.

    Attributes:
        blind: why there is no evidence to judge by; "" if there is.
        refused: the revision that was warmed up last, and what the last request met that it did not answer.
    """

    def __init__(
        self,
        spec: Rollout,
        target: Target,
        state: State,
        gateway: Gateway,
        servers: Servers,
        candidacy: Candidacy,
        judging: Judging,
        mirrors: Mirrors | None,
        audiences: Audiences | None,
    ) -> None:
        self._spec, self._target, self._state = spec, target, state
        self._gateway, self._servers = gateway, servers
        self._candidacy, self._judging = candidacy, judging
        self._mirrors, self._audiences = mirrors, audiences
        self._starving, self._unreached = Starving(), Unreached()
        self.blind, self.refused = "", ("", "")

    def around(self) -> Around:
        """The world as it is now."""
        split = self._gateway.split(self._target.host)
        servers = self._servers.observed()
        suspended = self._state.suspended(self._target.name)
        copies = self._copies()
        act = self._state.act(self._target.name)
        order = Ordered(act.id, act.verb, act.revision, act.step, act.by) if act else None
        return Around(split, _routed(split), servers, order, suspended, copies, self._apart())

    def grown(self, status: RolloutStatus, around: Around, now: datetime, monotonic: float) -> Observed:
        """The world with the status brought up to now, and its checks judged on what is known now."""
        if around.routed is not None and (new := _shown(status, around.routed)):
            status = status.model_copy(update=new)
        seen = Observed(
            status=status,
            routed=around.routed,
            in_effect=around.split is None or around.split.in_effect,
            copies=around.copies,
            apart=around.apart,
            servers=_all_seen(around.servers),
            suspended=around.suspended,
        )
        status = self._begun(seen, now, monotonic)
        status = self._judged(status, around.copies, now)
        status = self._timed(replace(seen, status=status), monotonic)
        return replace(
            seen,
            status=status,
            newest=self._candidacy.newest(now),
            candidate_rejected=status.candidate is not None and self._candidacy.barred(status.candidate),
            order=around.order,
            starved_s=self._starved(status, around.routed, monotonic),
            unreached_s=self._without_endpoint(status, around.split, monotonic),
            requests=self._requests(status, now),
            unwarmed=self._refused_warm_up(status),
        )

    def as_they_are(self, seen: Observed | None, status: RolloutStatus) -> Observed:
        """What was seen last, with the route and the servers as they are after what was done since."""
        return replace(
            seen or Observed(status, copies=self._copies(), apart=self._apart()),
            status=status,
            routed=_routed(self._gateway.split(self._target.host)),
            servers=_all_seen(self._servers.observed()),
        )

    def _copies(self) -> Copies:
        """What the gateway can do for a shadow."""
        if self._mirrors is None:
            return Copies()
        found = self._mirrors.mirroring(self._target.host)
        return Copies(found.supported, found.paired, found.because)

    def _apart(self) -> Apart:
        """What the gateway can do for an audience."""
        if self._audiences is None:
            return Apart()
        found = self._audiences.tells(self._target.host)
        return Apart(frozenset(found.ways), found.because)

    def _begun(self, seen: Observed, now: datetime, monotonic: float) -> RolloutStatus:
        """A step starts when its traffic flows: what came before is no evidence."""
        status = seen.status
        if status.step is None or status.step.seen_s is not None:
            return status
        if not seen.flows(wished(self._spec, status)):
            return status
        step = status.step.model_copy(update={"started_at": now, "seen_s": monotonic})
        return status.model_copy(update={"step": step})

    def _timed(self, seen: Observed, monotonic: float) -> RolloutStatus:
        """Elapsed times brought up to now.

        A step's stands while it is suspended, evidence is missing, or the route is not its own.
        """
        status, tick = seen.status, self._target.tick.total_seconds()
        update: dict[str, Any] = {}
        flows = seen.flows(wished(self._spec, status))
        if status.step is not None and status.step.seen_s is not None:
            step = status.step
            counts = flows and not (seen.suspended or self.blind)
            elapsed = credited(step.elapsed_s, step.seen_s, monotonic, tick) if counts else step.elapsed_s
            update["step"] = step.model_copy(update={"elapsed_s": elapsed, "seen_s": monotonic})
        if status.phase is Phase.STARTING or (not flows and lacking(self._spec, seen)):
            update["warming"] = _kept(status.warming, monotonic, tick)
        if status.previous is not None:
            update["keeping"] = _kept(status.keeping, monotonic, tick)
        return status.model_copy(update=update) if update else status

    def _judged(self, status: RolloutStatus, copies: Copies, now: datetime) -> RolloutStatus:
        """What has closed since the last look is judged, once the step's traffic flows."""
        if status.step is None or status.step.seen_s is None or status.phase is Phase.ROLLING_BACK:
            self.blind = ""
            return status
        try:
            since, self.blind = self._judging.begins(status, now)
            if since != status.step.started_at:
                step = status.step.model_copy(update={"started_at": since})
                status = status.model_copy(update={"step": step})
            if self.blind:
                return status
            checks = self._judging.checks(status, now, unpaired=_unpaired(copies))
        except (SurroundingsFailed, InputRefused) as error:
            self.blind = error.message
            return status
        return status if checks == status.checks else status.model_copy(update={"checks": checks})

    def _starved(self, status: RolloutStatus, routed: Routed | None, monotonic: float) -> float:
        if status.step is None or status.stable is None or status.candidate is None or routed is None:
            return 0.0
        if routed.preview == status.candidate.revision:
            # Who tries things out on a host of his own harms nobody by a bad request.
            return 0.0
        return self._starving.look(
            status.stable.revision,
            status.candidate.revision,
            routed,
            self._gateway.sent(self._target.host),
            monotonic,
        )

    def _without_endpoint(self, status: RolloutStatus, split: Split | None, monotonic: float) -> float:
        if status.stable is None or status.candidate is None or split is None:
            return 0.0
        return self._unreached.look(status.stable.revision, status.candidate.revision, split.empty, monotonic)

    def _refused_warm_up(self, status: RolloutStatus) -> str:
        revision, said = self.refused
        return said if status.candidate is not None and status.candidate.revision == revision else ""

    def _requests(self, status: RolloutStatus, now: datetime) -> int:
        """Counted only where a step asks for samples."""
        if status.step is None or status.step.index >= len(self._spec.steps) or self.blind:
            return 0
        return (
            self._judging.requests(status, now)
            if self._spec.steps[status.step.index].until.min_samples
            else 0
        )


def _routed(split: Split | None) -> Routed | None:
    if split is None:
        return None
    weights = {revision: share for revision, share in split.weights.items() if share > 0}
    return Routed(
        weights,
        split.mirror,
        split.mirror_percent if split.mirror else 0,
        split.chosen,
        split.audience if split.chosen else None,
        split.preview,
        split.preview_host if split.preview else "",
    )


def _shown(status: RolloutStatus, routed: Routed) -> dict[str, object]:
    """What the status should say of a route, and does not yet."""
    shown = {
        "traffic": dict(routed.weights),
        "mirror": routed.mirror,
        "audience": routed.audience.text if routed.audience else "",
        "preview": routed.preview_host,
    }
    return {name: value for name, value in shown.items() if getattr(status, name) != value}


def _seen(server: Server) -> ServerSeen:
    return ServerSeen(
        server.state is ServerState.READY and server.replicas > 0,
        server.state is ServerState.GONE,
        server.since_s,
        server.restarts,
        server.message,
        server.replicas,
        server.least,
    )


def _all_seen(servers: Mapping[str, Server]) -> dict[str, ServerSeen]:
    return {revision: _seen(server) for revision, server in servers.items()}


def _unpaired(copies: Copies) -> str:
    """Why answers of a shadow cannot be paired; "" if they can."""
    if copies.paired is not False:
        return ""
    return f"Unpaired: {copies.because or 'request and copy carry different X-Request-Ids'}"


def _kept(keeping: Keeping, monotonic: float, tick: float) -> Keeping:
    return Keeping(elapsed_s=credited(keeping.elapsed_s, keeping.seen_s, monotonic, tick), seen_s=monotonic)

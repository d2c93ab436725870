"""One rollout, reconciled: observe, decide, apply, until there is nothing more to do now.

What stands in the status was written before the act that it guards, and every act may be repeated, so that a
crash between any two writes leads back to the same end.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from trimtab.api.conditions import Condition
from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError
from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Keeping, Phase, RolloutStatus
from trimtab.control.acting import Acting
from trimtab.control.candidacy import Candidacy
from trimtab.control.judging import Judging
from trimtab.control.memory import Memory
from trimtab.control.starving import Starving
from trimtab.control.target import Target
from trimtab.control.unreached import Unreached
from trimtab.ports.clock import Clock
from trimtab.ports.evidence import Evidence
from trimtab.ports.gateway import Audiences, Gateway, Mirrors, RouteRefused, Split
from trimtab.ports.metrics import Metrics
from trimtab.ports.profiles import Profiles
from trimtab.ports.registry import Registry
from trimtab.ports.servers import Server, Servers, ServerState
from trimtab.ports.state import Conflict, Event, State
from trimtab.rollout import (
    Apart,
    Copies,
    Decision,
    Observed,
    Ordered,
    Routed,
    ServerSeen,
    Told,
    conditions,
    decide,
)
from trimtab.rollout.capacity import lacking
from trimtab.rollout.decision import WarmUp
from trimtab.rollout.elapsed import credited
from trimtab.rollout.rebuilding import rebuilt
from trimtab.rollout.traffic import wished

KIND: Final = "ModelRollout"
MOVES: Final = 40
"""More moves than one look can need; past them the next look goes on."""
WRITTEN_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What one reconcile came to.

    Attributes:
        because: what the rollout waits for, or rests on.
        busy: it waits for the world (a server, a route), not for time or a person.
        trouble: what could not be reached, or was refused; "" if nothing.
        moves: how many claims and acts it made.
        conflict: whether somebody else wrote in between, so that nothing more was done: look again at once.
    """

    because: str
    busy: bool = False
    trouble: str = ""
    moves: int = 0
    conflict: bool = False


class ReconcileRollout:
    """The reconcile of one rollout over its ports."""

    def __init__(
        self,
        spec: Rollout,
        target: Target,
        *,
        clock: Clock,
        state: State,
        evidence: Evidence,
        gateway: Gateway,
        servers: Servers,
        registry: Registry,
        profiles: Profiles,
        mirrors: Mirrors | None = None,
        audiences: Audiences | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """One rollout.

        Args:
            mirrors: where gateways differ in what they can do; without it this one mirrors and pairs.
            audiences: likewise; without it this one tells callers apart in every way.
            metrics: answers the checks that ask a metrics server.
        """
        self._spec, self._target, self._clock, self._state = spec, target, clock, state
        self._gateway, self._servers = gateway, servers
        self._mirrors, self._audiences = mirrors, audiences
        self._memory = Memory(state, KIND, target.name, RolloutStatus)
        self._candidacy = Candidacy(registry, target)
        self._judging = Judging(spec, target, evidence, gateway, profiles, metrics)
        self._starving, self._unreached = Starving(), Unreached()
        self._acting = Acting(target, gateway, servers, evidence, profiles, self._candidacy, mirrors)
        self._current: RolloutStatus | None = None
        self._written_s: float | None = None
        self._blind, self._unwarmed = "", ("", "")
        self._seen: Observed | None = None

    @property
    def status(self) -> RolloutStatus:
        """The status as last seen."""
        return self._current or self._memory.load() or RolloutStatus()

    @property
    def unreadable(self) -> str:
        """Why a stored status was taken for lost; "" if none was."""
        return self._memory.unreadable

    @property
    def candidacy(self) -> Candidacy:
        return self._candidacy

    def conditions(
        self,
        looked: Looked,
        *,
        facts: Sequence[Condition] = (),
        hindered: str = "",
        ordered: str = "",
        unresolved: str = "",
    ) -> tuple[Condition, ...]:
        """What a person should know at a glance, as things are after a look.

        Args:
            facts: what adapters know.
            hindered: trouble that has lasted.
            ordered: what is wrong with a person's order.
            unresolved: why the wished model is not known, if it is not.
        """
        now = self._clock.now()
        newest = self._candidacy.newest(now)
        told = Told(
            looked.because, looked.trouble, hindered, ordered, self.unreadable,
            self._candidacy.current(now), unresolved, facts,
        )  # fmt: skip
        seen = replace(
            self._seen or Observed(self.status, copies=self._copies(), apart=self._apart()),
            status=self.status,
            routed=_routed(self._gateway.split(self._target.host)),
            servers={revision: _seen(server) for revision, server in self._servers.observed().items()},
            newest=newest,
        )
        return conditions(self._spec, seen, told)

    def tick(self) -> Looked:
        """Bring the world as far as it goes now."""
        moves, because = 0, ""
        try:
            for _ in range(MOVES):
                seen = self._seen = self._observe()
                decision = decide(self._spec, seen, self._clock.now())
                because = decision.because
                done = self._apply(seen, decision)
                moves += done > 0
                if decision.waits or not done:
                    break
        except Conflict as conflict:
            self._current = None
            return Looked("somebody else wrote the status", True, str(conflict), moves, conflict=True)
        except (SurroundingsFailed, RouteRefused, InputRefused) as error:
            trouble = error.message if isinstance(error, TrimtabError) else str(error)
            return Looked(because or trouble, True, trouble, moves)
        busy = self.status.phase in (Phase.STARTING, Phase.PROMOTING, Phase.ROLLING_BACK)
        # What was asked of a server may change nothing that wakes anybody (as many replicas as there are).
        busy |= decision.waits and bool(decision.after)
        return Looked(because, busy, self._blind, moves)

    def wake(self, now: datetime) -> datetime:
        """When time alone can change the answer next."""
        status, due = self.status, self._candidacy.due(now)
        times = [due if due > now else now + self._target.poll_every]
        step = self._spec.traffic_step(status.step.name) if status.step else None
        asked = self._spec.checks_at(step) if step is not None else ()
        times += [self._target.cut_for(check).next_mature(now) for check in asked if check.labelled]
        if not all(check.labelled for check in asked):
            times.append(self._target.next_closed(now))
        if status.step is not None or status.previous is not None:
            times.append(now + self._target.tick)
        return min(times)

    def _observe(self) -> Observed:
        now, monotonic = self._clock.now(), self._clock.monotonic_s()
        stored = self._memory.load()
        split = self._gateway.split(self._target.host)
        routed = _routed(split)
        servers = self._servers.observed()
        suspended = self._state.suspended(self._target.name)
        copies = self._copies()
        act = self._state.act(self._target.name)
        order = Ordered(act.id, act.verb, act.revision, act.step, act.by) if act else None
        status = self._base(stored, routed, servers, order)
        if routed is not None:
            status = status.model_copy(update=_shown(routed))
        seen = Observed(
            status=status,
            routed=routed,
            in_effect=split is None or split.in_effect,
            copies=copies,
            apart=self._apart(),
            servers={revision: _seen(server) for revision, server in servers.items()},
            suspended=suspended,
        )
        status = self._begun(seen, now, monotonic)
        status = self._judged(status, copies, now)
        status = self._timed(replace(seen, status=status), monotonic)
        self._current = status
        return replace(
            seen,
            status=status,
            newest=self._candidacy.newest(now),
            candidate_rejected=status.candidate is not None and self._candidacy.barred(status.candidate),
            order=order,
            starved_s=self._starved(status, routed, monotonic),
            unreached_s=self._without_endpoint(status, split, monotonic),
            requests=self._requests(status, now),
            unwarmed=self._refused_warm_up(status),
        )

    def _base(
        self,
        stored: RolloutStatus | None,
        routed: Routed | None,
        servers: Mapping[str, Server],
        order: Ordered | None,
    ) -> RolloutStatus:
        """The status to go on from: in memory if it is the stored one grown, rebuilt if it was lost."""
        if stored is None:
            self._current = None
            serves = [server.serves for server in servers.values() if server.serves is not None]
            status = rebuilt(routed, self._candidacy.stable(), self._candidacy.known(serves), order)
            if status.stable is not None:
                self._candidacy.name_stable(status.stable)
            return status
        if self._current is None or _lasting(self._current) != _lasting(stored):
            return stored
        return self._current

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
            counts = flows and not (seen.suspended or self._blind)
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
            self._blind = ""
            return status
        try:
            since, self._blind = self._judging.begins(status, now)
            if since != status.step.started_at:
                step = status.step.model_copy(update={"started_at": since})
                status = status.model_copy(update={"step": step})
            if self._blind:
                return status
            checks = self._judging.checks(status, now, unpaired=_unpaired(copies))
        except (SurroundingsFailed, InputRefused) as error:
            self._blind = error.message
            return status
        return status if checks == status.checks else status.model_copy(update={"checks": checks})

    def introduce(self) -> None:
        """Tell the collector anew of what is in service and in flight: one that lost its memory knows neither."""
        for ref in (self.status.stable, self.status.candidate):
            if ref is not None:
                with contextlib.suppress(SurroundingsFailed, InputRefused):
                    self._acting.introduce(ref)

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
        revision, said = self._unwarmed
        return said if status.candidate is not None and status.candidate.revision == revision else ""

    def _requests(self, status: RolloutStatus, now: datetime) -> int:
        """Counted only where a step asks for samples."""
        if status.step is None or status.step.index >= len(self._spec.steps) or self._blind:
            return 0
        return (
            self._judging.requests(status, now)
            if self._spec.steps[status.step.index].until.min_samples
            else 0
        )

    def _apply(self, seen: Observed, decision: Decision) -> int:
        """Registry first, then the claim, then the acts it guards; returns how much was done."""
        now, done = self._clock.now(), 0
        safety = decision.claim is not None and decision.claim.phase is Phase.ROLLING_BACK
        for act in decision.before:
            try:
                self._acting.do(act, now)
                done += 1
            except SurroundingsFailed:
                # A registry that is down must not keep traffic on a bad candidate; its bar is written later.
                if not safety:
                    raise
        claim = decision.claim if decision.claim is not None else seen.status
        done += self._write(claim, decision, now)
        for act in decision.after:
            warmed = self._acting.do(act, now)
            if isinstance(act, WarmUp) and warmed is not None:
                self._unwarmed = act.revision, warmed.said
                warm = claim.warmed + warmed.answered
                self._write(claim.model_copy(update={"warmed": warm}), None, now)
                return done + (warmed.answered >= act.requests)
            done += 1
        return done

    def _write(self, status: RolloutStatus, decision: Decision | None, now: datetime) -> int:
        """Write what is new; times alone at most once a minute."""
        monotonic = self._clock.monotonic_s()
        events = [
            Event(now, KIND, what.kind, what.revision, what.because, what.bounds)
            for what in (decision.happened if decision else ())
        ]
        # Not loaded anew: what is written is decided on what was observed.
        stored = self._memory.held
        new = stored is None or _lasting(stored) != _lasting(status) or bool(events)
        stale = self._written_s is None or not 0 <= monotonic - self._written_s < WRITTEN_EVERY_S
        if new or (stale and stored != status):
            # Sums without a verdict are summed again from the collector's log, should a power cut take them.
            decided = bool(events) or stored is None or _verdicts(stored) != _verdicts(status)
            self._memory.save(
                status, events, durable=decided or (decision is not None and decision.claim is not None)
            )
            self._written_s = monotonic
        self._current = status
        return int(decision is not None and decision.claim is not None)


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


def _shown(routed: Routed) -> dict[str, object]:
    """What the status says of a route."""
    return {
        "traffic": dict(routed.weights),
        "mirror": routed.mirror,
        "audience": routed.audience.text if routed.audience else "",
        "preview": routed.preview_host,
    }


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


def _unpaired(copies: Copies) -> str:
    """Why answers of a shadow cannot be paired; "" if they can."""
    if copies.paired is not False:
        return ""
    return f"Unpaired: {copies.because or 'request and copy carry different X-Request-Ids'}"


def _kept(keeping: Keeping, monotonic: float, tick: float) -> Keeping:
    return Keeping(elapsed_s=credited(keeping.elapsed_s, keeping.seen_s, monotonic, tick), seen_s=monotonic)


def _lasting(status: RolloutStatus) -> RolloutStatus:
    """The status without what grows by itself."""
    step = status.step
    if step is not None and step.seen_s is not None:
        step = step.model_copy(update={"elapsed_s": 0.0, "seen_s": 0.0})
    return status.model_copy(update={"step": step, "warming": Keeping(), "keeping": Keeping()})


def _verdicts(status: RolloutStatus) -> list[tuple[str, str, str]]:
    return [(check.name, check.step, check.verdict) for check in status.checks]

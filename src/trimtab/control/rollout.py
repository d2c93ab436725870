"""One rollout, reconciled: observe, decide, apply, until there is nothing more to do now.

What stands in the status was written before the act that it guards, and every act may be repeated, so that a
crash between any two writes leads back to the same end.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from trimtab.api.conditions import Condition
from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError
from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Keeping, Phase, RolloutStatus
from trimtab.control.acting import Acting
from trimtab.control.candidacy import Candidacy
from trimtab.control.judging import Judging
from trimtab.control.memory import Memory
from trimtab.control.observing import Around, Observing
from trimtab.control.target import Target
from trimtab.ports.clock import Clock
from trimtab.ports.evidence import Evidence
from trimtab.ports.gateway import Audiences, Gateway, Mirrors, RouteRefused
from trimtab.ports.metrics import Metrics
from trimtab.ports.profiles import Profiles
from trimtab.ports.registry import Registry
from trimtab.ports.servers import Servers
from trimtab.ports.state import Conflict, Event, State
from trimtab.rollout import (
    Decision,
    Observed,
    Told,
    conditions,
    decide,
)
from trimtab.rollout.decision import WarmUp
from trimtab.rollout.rebuilding import rebuilt

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
        self._memory = Memory(state, KIND, target.name, RolloutStatus)
        self._candidacy = Candidacy(registry, target)
        judging = Judging(spec, target, evidence, gateway, profiles, metrics)
        self._observing = Observing(
            spec, target, state, gateway, servers, self._candidacy, judging, mirrors, audiences
        )
        self._acting = Acting(target, gateway, servers, evidence, profiles, self._candidacy, mirrors)
        self._current: RolloutStatus | None = None
        self._written_s: float | None = None
        self._seen: Observed | None = None
        self._fresh = False

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
        seen = self._seen
        if seen is None or not self._fresh:
            seen = self._observing.as_they_are(seen, self.status)
        seen = replace(seen, status=self.status, newest=newest)
        return conditions(self._spec, seen, told)

    def tick(self) -> Looked:
        """Bring the world as far as it goes now."""
        moves, because = 0, ""
        try:
            for _ in range(MOVES):
                self._fresh = False
                seen = self._seen = self._observe()
                decision = decide(self._spec, seen, self._clock.now())
                because = decision.because
                done = self._apply(seen, decision)
                moves += done > 0
                self._fresh = not (decision.before or decision.claim or decision.after)
                if decision.waits or not done:
                    break
        except Conflict as conflict:
            self._current = None
            return Looked("somebody else wrote the status", True, str(conflict), moves, conflict=True)
        except (SurroundingsFailed, RouteRefused, InputRefused) as error:
            trouble = error.sentence if isinstance(error, TrimtabError) else str(error)
            return Looked(because or trouble, True, trouble, moves)
        busy = self.status.phase in (Phase.STARTING, Phase.PROMOTING, Phase.ROLLING_BACK)
        # What was asked of a server may change nothing that wakes anybody (as many replicas as there are).
        busy |= decision.waits and bool(decision.after)
        return Looked(because, busy, self._observing.blind, moves)

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
        around = self._observing.around()
        seen = self._observing.grown(self._base(stored, around), around, now, monotonic)
        self._current = seen.status
        return seen

    def _base(self, stored: RolloutStatus | None, around: Around) -> RolloutStatus:
        """The status to go on from: in memory if it is the stored one grown, rebuilt if it was lost."""
        if stored is None:
            self._current = None
            serves = [server.serves for server in around.servers.values() if server.serves is not None]
            known = self._candidacy.known(serves)
            status = rebuilt(around.routed, self._candidacy.stable(), known, around.order)
            if status.stable is not None:
                self._candidacy.name_stable(status.stable)
            return status
        if self._current is None or not _lasts(self._current, stored):
            return stored
        return self._current

    def introduce(self) -> None:
        """Tell the collector anew of what is in service and in flight: one that lost its memory knows neither."""
        for ref in (self.status.stable, self.status.candidate):
            if ref is not None:
                with contextlib.suppress(SurroundingsFailed, InputRefused):
                    self._acting.introduce(ref)

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
                self._observing.refused = act.revision, warmed.said
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
        new = stored is None or not _lasts(stored, status) or bool(events)
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


def _lasts(one: RolloutStatus, other: RolloutStatus) -> bool:
    """Whether they say the same, but for what grows by itself."""
    return one is other or _lasting(one) == _lasting(other)


def _lasting(status: RolloutStatus) -> RolloutStatus:
    """The status without what grows by itself."""
    step = status.step
    if step is not None and step.seen_s is not None:
        step = step.model_copy(update={"elapsed_s": 0.0, "seen_s": 0.0})
    return status.model_copy(update={"step": step, "warming": Keeping(), "keeping": Keeping()})


def _verdicts(status: RolloutStatus) -> list[tuple[str, str, str]]:
    return [(check.name, check.step, check.verdict) for check in status.checks]

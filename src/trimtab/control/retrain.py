"""One retraining policy, reconciled: claim, then start; settle what has ended."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from trimtab.api.conditions import Condition
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.monitor import MonitorStatus
from trimtab.api.retrain import Attempt, Outcome, Retrain, RetrainStatus
from trimtab.api.rollout_status import RevisionRef, RolloutStatus
from trimtab.control.candidacy import Candidacy
from trimtab.control.memory import Memory
from trimtab.control.target import Target
from trimtab.ports.evidence import Evidence
from trimtab.ports.posted import Posts
from trimtab.ports.runs import Remembered, Run, Runs, RunState, Surplus
from trimtab.ports.state import Conflict, Event, State
from trimtab.retrain import Fate, Observed, OpenEpisode, PostedEvent, RunSeen, conditions, decide

KIND: Final = "RetrainPolicy"
MOVES: Final = 10


class ReconcileRetrain:
    """The reconcile of one policy over its ports."""

    def __init__(
        self,
        spec: Retrain,
        target: Target,
        *,
        state: State,
        evidence: Evidence,
        runs: Runs,
        candidacy: Candidacy,
        surplus: Surplus | None = None,
        remembered: Remembered | None = None,
        posts: Posts | None = None,
        name: str = "",
        identity: str = "",
    ) -> None:
        """One policy.

        Args:
            surplus: where an engine may make more than one run of a key.
            remembered: where more is kept of a run than its record; it goes with its line of the history.
            posts: where events from outside are taken.
            name: of the policy, where it is not its rollout's.
            identity: what tells it from every other policy, a later one of its name included; default its name.
        """
        self._surplus, self._posts, self._alone = surplus, posts, ""
        self._remembered = remembered
        self._name = name or target.name
        self._identity = identity or self._name
        self._spec, self._target, self._state = spec, target, state
        self._evidence, self._runs, self._candidacy = evidence, runs, candidacy
        self._memory = Memory(state, KIND, self._name, RetrainStatus)
        self._labelled: dict[tuple[str, datetime, datetime], int] = {}
        self.trouble = ""

    @property
    def status(self) -> RetrainStatus:
        return self._memory.load() or RetrainStatus()

    @property
    def busy(self) -> bool:
        """Whether a run is on its way."""
        return self.status.claim is not None

    def tick(self, rollout: RolloutStatus, monitor: MonitorStatus, now: datetime) -> bool:
        """Go as far as it goes now; returns whether a run ended, so that the registry is asked again."""
        ended = False
        self.trouble = ""
        try:
            for _ in range(MOVES):
                status = self.status
                seen = self._observe(status, rollout, monitor, now)
                decision = decide(self._identity, self._spec, seen, now)
                if decision.claim is not None:
                    events = [Event(now, KIND, h.kind, "", h.because, h.bounds) for h in decision.happened]
                    self._forget(status, decision.claim)
                    self._memory.save(decision.claim, events)
                    if status.claim is not None and decision.claim.claim is None:
                        ended = True
                        self._candidacy.forget()
                if decision.start is not None:
                    self._runs.start(decision.start.key, decision.start.parameters)
                for run_id in decision.end:
                    assert self._surplus is not None
                    self._surplus.end(run_id)
                if decision.waits:
                    break
        except Conflict as conflict:
            self.trouble = str(conflict)
        except (SurroundingsFailed, InputRefused) as error:
            self.trouble = error.message
        return ended

    def conditions(self, now: datetime, trouble: str = "", because: str = "") -> tuple[Condition, ...]:
        """What a person should know at a glance, as of the last look.

        Args:
            trouble: what beside this could not be reached; "" if nothing.
            because: what the run under way says of itself; "" if nothing.
        """
        suspended = self._state.suspended(self._name)
        return conditions(
            self._spec, self.status, now, self.trouble or trouble, suspended=suspended, because=because
        )

    def wake(self, now: datetime) -> datetime:
        """Re-arming is looked at with every mature block, all else after a cooldown at the latest."""
        return min(self._target.next_mature(now), now + self._spec.guards.cooldown)

    def _forget(self, was: RetrainStatus, status: RetrainStatus) -> None:
        """Before the history loses a line, so that one who dies in between does it again."""
        if self._remembered is None:
            return
        kept = {attempt.key for attempt in status.attempts}
        for attempt in was.attempts:
            if attempt.key not in kept:
                try:
                    self._remembered.forget(attempt.key)
                except (SurroundingsFailed, InputRefused) as error:
                    # It hinders nothing, but somebody should know that it stays.
                    self.trouble = error.message

    def _observe(
        self, status: RetrainStatus, rollout: RolloutStatus, monitor: MonitorStatus, now: datetime
    ) -> Observed:
        run = self._found(status.claim.key) if status.claim is not None else None
        episodes = tuple(
            OpenEpisode(e.id, e.cause, e.opened_at) for e in monitor.episodes if e.closed_at is None
        )
        last = status.attempts[-1] if status.attempts else None
        waiting = last is not None and last.outcome is Outcome.CANDIDATE and last.version is not None
        return Observed(
            status=status,
            episodes=episodes,
            run=_seen(run) if run is not None else None,
            fate=self._fate(last.version, rollout, now)
            if waiting and last is not None and last.version
            else Fate.UNDECIDED,
            undecided=rollout.in_flight,
            suspended=self._state.suspended(self._name),
            posted=self._posted(),
            surplus=self._beside(last, run),
            labelled_since=lambda since: self._labelled_since(rollout.stable, since, now),
        )

    def _found(self, key: str) -> Run | None:
        """The run of a key. One that died when its model was the candidate took effect: its last word is missing."""
        run = self._runs.find(key)
        if run is None or run.state is not RunState.FAILED:
            return run
        made = self._candidacy.made_by(key)
        if made is None:
            return run
        because = (
            f"{made.tags.get('trimtab.because', '')}; it died when its model was the candidate: {run.because}"
        )
        return replace(
            run,
            state=RunState.SUCCEEDED,
            version=made.version,
            passed=True,
            because=because.removeprefix("; "),
            labelled=int(made.tags.get("trimtab.rows", "0")),
        )

    def _posted(self) -> tuple[PostedEvent, ...]:
        types = {trigger.event.type for trigger in self._spec.triggers if trigger.event is not None}
        if self._posts is None or not types:
            return ()
        found = [self._posts.newest(type) for type in sorted(types)]
        return tuple(PostedEvent(one.id, one.type, one.at) for one in found if one is not None)

    def _beside(self, last: Attempt | None, run: Run | None) -> tuple[str, ...]:
        """Runs of the last key that go on beside the effective one; looked for until none is left once it is over."""
        if self._surplus is None or last is None or last.key == self._alone:
            return ()
        effective = run.id if run is not None else last.run_id
        if effective is None:
            return ()
        going = (RunState.PENDING, RunState.RUNNING)
        others = [one for one in self._surplus.all(last.key) if one.id != effective and one.state in going]
        if not others and last.outcome is not Outcome.RUNNING:
            self._alone = last.key
        return tuple(one.id for one in others)

    def _fate(self, version: str, rollout: RolloutStatus, now: datetime) -> Fate:
        """What became of a version: a candidate that a newer one replaced is rejected too.

        Undecided while the registry cannot be asked: what it said before knows nothing of a run that has just ended.
        """
        if any(ref is not None and ref.version == version for ref in (rollout.stable, rollout.previous)):
            return Fate.PROMOTED
        if rollout.candidate is not None and rollout.candidate.version == version:
            return Fate.UNDECIDED
        if any(gone.version == version for gone in rollout.rejected):
            return Fate.REJECTED
        newest = self._candidacy.newest(now)
        if not self._candidacy.current(now):
            return Fate.UNDECIDED
        if newest is None or newest.ref.version != version or newest.rejected is not None:
            return Fate.REJECTED
        return Fate.UNDECIDED

    def _labelled_since(self, stable: RevisionRef | None, since: datetime, now: datetime) -> int:
        """Mature labels of what stable served since a time."""
        if stable is None:
            return 0
        key = (stable.revision, since, self._target.mature(now))
        if key not in self._labelled:
            blocks = self._evidence.scored(stable.revision, since, now, self._target.cut, now)
            self._labelled = {key: sum(block.rows for block in blocks)}
        return self._labelled[key]


def _seen(run: Run) -> RunSeen:
    return RunSeen(
        id=run.id,
        ended=run.state in (RunState.SUCCEEDED, RunState.FAILED, RunState.SKIPPED),
        failed=run.state is RunState.FAILED,
        skipped=run.state is RunState.SKIPPED,
        passed=run.passed,
        version=run.version,
        labelled=run.labelled,
        data_end=run.data_end,
        because=run.because,
    )

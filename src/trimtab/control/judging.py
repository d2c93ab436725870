"""Asks the collector what the checks of a step need, and lets them judge; only when a block or an hour has closed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.rollout import Check, Prometheus, Rollout, Step
from trimtab.api.rollout_status import CheckStatus, RevisionRef, RolloutStatus
from trimtab.control.set_back import DAY, begins, reached
from trimtab.control.target import Target
from trimtab.control.unlogged import Unlogged, follow
from trimtab.ports.evidence import Evidence, RequestCount
from trimtab.ports.gateway import Gateway
from trimtab.ports.metrics import Metrics
from trimtab.ports.profiles import Profiles, Unprofiled
from trimtab.rollout.checks import (
    Alphas,
    Bucket,
    judge_disagreement,
    judge_error_rate,
    judge_latency,
    judge_paired_loss,
    judge_threshold,
)
from trimtab.sequential import Verdict

HOUR_S = 3600
DAY_S = 86_400


class Judging:
    """The verdicts of one rollout's checks."""

    def __init__(
        self,
        spec: Rollout,
        target: Target,
        evidence: Evidence,
        gateway: Gateway,
        profiles: Profiles,
        metrics: Metrics | None,
    ) -> None:
        self._spec, self._target, self._evidence, self._gateway = spec, target, evidence, gateway
        self._profiles, self._metrics = profiles, metrics
        self._judged: dict[str, tuple[str, int, str, datetime]] = {}

    def begins(self, status: RolloutStatus, now: datetime) -> tuple[datetime, str]:
        """When the evidence of the step under way begins, and why its time stands; "" while it runs.

        Raises SurroundingsFailed when the collector cannot be asked.
        """
        step, stable = status.step, status.stable
        assert step is not None

        def answered(start: datetime, end: datetime) -> bool:
            held = stable and self._evidence.requests(stable.revision, start, end, self._target.closed_s)
            return bool(held)

        ahead = reached(step.started_at, status.checks, self._target.closed_every)
        return begins(step.started_at, ahead, now, answered)

    def checks(self, status: RolloutStatus, now: datetime, unpaired: str = "") -> tuple[CheckStatus, ...]:
        """The checks' verdicts with the evidence that has closed since the last look.

        Args:
            unpaired: why the answers of a shadow cannot be paired; "" if they can.

        Raises SurroundingsFailed when the collector cannot be asked.
        """
        step = self._spec.traffic_step(status.step.name) if status.step else None
        if status.step is None or status.stable is None or status.candidate is None or step is None:
            return status.checks
        found = list(status.checks)
        for check in self._spec.checks_at(step):
            target = self._target.cut_for(check)
            closed = target.mature(now) if check.labelled else self._target.closed(now)
            key = (status.candidate.revision, status.attempt, step.name, closed)
            if check.prometheus is not None:
                closed = now.replace(second=0, microsecond=0)
                key = (status.candidate.revision, status.attempt, step.name, closed)
            if self._judged.get(check.name) == key:
                continue
            at = next((i for i, held in enumerate(found) if self._same(held, check, step)), None)
            held = None if at is None else found[at]
            judged = self._judge(check, step, status, held, closed, now, unpaired if step.shadow else "")
            if at is None:
                found.append(judged)
            else:
                found[at] = judged
            self._judged[check.name] = key
        return tuple(found)

    def requests(self, status: RolloutStatus, now: datetime) -> int:
        """Requests that the candidate got since the step began."""
        if status.step is None or status.candidate is None or now <= status.step.started_at:
            return 0
        counts = self._evidence.requests(status.candidate.revision, status.step.started_at, now, HOUR_S)
        return sum(count.requests for count in counts)

    def _same(self, held: CheckStatus, check: Check, step: Step) -> bool:
        """Evidence of shadows and of canaries is kept apart."""
        if held.name != check.name:
            return False
        judged_at = next((s for s in self._spec.steps if s.name == held.step), step)
        return bool(judged_at.shadow) == bool(step.shadow)

    def _judge(
        self,
        check: Check,
        step: Step,
        status: RolloutStatus,
        held: CheckStatus | None,
        closed: datetime,
        now: datetime,
        unpaired: str,
    ) -> CheckStatus:
        stable, candidate, under_way = status.stable, status.candidate, status.step
        assert stable is not None
        assert candidate is not None
        assert under_way is not None
        alphas = Alphas.of(self._spec, check, status.entered)
        since = under_way.started_at
        # A hold or an approval goes on with the traffic, and so with the evidence, of the step before; blocks of
        # labels go on through all shadows.
        if held is not None and (check.labelled or under_way.name != step.name):
            since = datetime.fromisoformat(held.evidence["since"])
        # What was counted stays in the span that is asked for, wherever the clock stands.
        asked = _asked(held, since)
        until = max(closed, since, asked)
        if check.prometheus is not None:
            judged = self._measured(check, check.prometheus, step, stable, candidate, held, closed)
        elif unpaired and (check.labelled or check.metric == "disagreement"):
            judged = _unjudged(check, step, held, unpaired)
        elif check.labelled:
            until = max(now, asked)
            judged = self._paired(check, alphas, step, stable, candidate, held, since, until)
        elif check.metric == "error_rate":
            through = _through(held, since)
            until = max(closed, since, through + self._target.closed_every if through else since)
            buckets = self._buckets(stable, candidate, since, until, through)
            unlogged, gateway = self._unlogged(held, stable, candidate, since, now)
            judged = judge_error_rate(check, alphas, step.name, since, held, _share(step), buckets, unlogged)
            judged = judged.model_copy(update={"evidence": {**judged.evidence, "gateway": gateway}})
        elif check.metric == "disagreement":
            agreement = self._evidence.agreement(stable.revision, candidate.revision, since, until)
            judged = judge_disagreement(check, step.name, held, agreement)
        else:
            judged = judge_latency(
                check,
                alphas,
                step.name,
                since,
                sum(check in self._spec.checks_at(s) for s in self._spec.steps),
                held,
                self._evidence.latencies(candidate.revision, since, until),
                self._evidence.latencies(stable.revision, since, until),
            )
        known = {"since": since.isoformat(), "until": asked.isoformat()}
        same = judged.model_copy(update={"evidence": {**judged.evidence, **known}})
        if same == held:
            return held
        return judged.model_copy(
            update={"evidence": {**judged.evidence, **known, "until": until.isoformat()}}
        )

    def _paired(
        self,
        check: Check,
        alphas: Alphas,
        step: Step,
        stable: RevisionRef,
        candidate: RevisionRef,
        held: CheckStatus | None,
        since: datetime,
        now: datetime,
    ) -> CheckStatus:
        cut = self._target.cut_for(check).cut
        try:
            blocks = self._evidence.paired(stable.revision, candidate.revision, since, now, cut, now)
        except InputRefused:
            if because := self._unprofiled(stable) or self._unprofiled(candidate):
                return _unjudged(check, step, held, because)
            raise
        known = held if held is not None and "sums" in held.evidence else None
        return judge_paired_loss(check, alphas, step.name, known, blocks)

    def _unprofiled(self, ref: RevisionRef) -> str:
        """Why a revision can have no profile; "" if it can."""
        try:
            self._profiles.profile(ref.uri)
        except Unprofiled as error:
            return error.message
        except (InputRefused, SurroundingsFailed):
            pass
        return ""

    def _measured(
        self,
        check: Check,
        asks: Prometheus,
        step: Step,
        stable: RevisionRef,
        candidate: RevisionRef,
        held: CheckStatus | None,
        minute: datetime,
    ) -> CheckStatus:
        """Asked once a minute; a server that is down says nothing of the candidate, and blinds no other check."""
        if held is not None and held.evidence.get("asked") == minute.isoformat():
            return held
        query = asks.query.replace("$candidate", candidate.revision).replace("$stable", stable.revision)
        value, because = None, f"no metrics server '{asks.provider_ref}' here"
        if self._metrics is not None:
            try:
                value, because = self._metrics.query(asks.provider_ref, query), ""
            except (SurroundingsFailed, InputRefused) as error:
                because = error.message
        return judge_threshold(check, step.name, held, value, minute, because)

    def _buckets(
        self,
        stable: RevisionRef,
        candidate: RevisionRef,
        since: datetime,
        closed: datetime,
        through: datetime | None,
    ) -> list[Bucket]:
        """Closed buckets in which either revision answered; those judged before, up to `through`, by the day."""
        fresh = since if through is None else through + self._target.closed_every
        of_stable, of_candidate = (
            _by_start(
                [
                    *(self._evidence.requests(ref.revision, since, fresh, DAY_S) if through else ()),
                    *self._evidence.requests(ref.revision, fresh, max(fresh, closed), self._target.closed_s),
                ]
            )
            for ref in (stable, candidate)
        )
        nothing = RequestCount(since, 0, 0, 0)
        found = []
        for start in sorted(of_stable.keys() | of_candidate.keys()):
            ours, theirs = of_candidate.get(start, nothing), of_stable.get(start, nothing)
            found.append(Bucket(start, ours.requests, ours.errors, theirs.requests, theirs.errors))
        return found

    def _unlogged(
        self,
        held: CheckStatus | None,
        stable: RevisionRef,
        candidate: RevisionRef,
        since: datetime,
        now: datetime,
    ) -> tuple[tuple[int, int], dict[str, dict[str, Any]]]:
        """New unlogged failures of candidate and stable, and the gateway's counts to go on from."""
        known = held.evidence if held is not None and held.evidence.get("since") == since.isoformat() else {}
        sent = self._gateway.sent(self._target.host)
        if not sent:
            # A gateway that shows no counts leaves it at the collector's: a request without an answer is an error.
            return (0, 0), known.get("gateway", {})
        new, counts = [], {}
        for arm, ref in (("candidate", candidate), ("stable", stable)):
            # Whatever clock stamped them: one that is not yet counted would pass for one that nobody logged.
            all_since = self._evidence.requests(ref.revision, since, max(now, since) + DAY, HOUR_S)
            logged = sum(one.errors for one in all_since)
            carried, more = follow(Unlogged.held(known, arm), sent.get(ref.revision), logged)
            new.append(more)
            counts[arm] = carried.to_json()
        return (new[0], new[1]), counts


def _unjudged(check: Check, step: Step, held: CheckStatus | None, because: str) -> CheckStatus:
    """What is known, with why no more will be."""
    known = held or CheckStatus(name=check.name, step=step.name, verdict=Verdict.INCONCLUSIVE.value)
    return known.model_copy(update={"step": step.name, "reason": because})


def _through(held: CheckStatus | None, since: datetime) -> datetime | None:
    """The last bucket that was judged at this step."""
    if held is None or held.evidence.get("since") != since.isoformat():
        return None
    through = held.evidence.get("through")
    return datetime.fromisoformat(through) if through else None


def _asked(held: CheckStatus | None, since: datetime) -> datetime:
    """Up to when the collector was asked about the evidence that began at `since`."""
    if held is None or held.evidence.get("since") != since.isoformat():
        return since
    return datetime.fromisoformat(held.evidence.get("until", since.isoformat()))


def _share(step: Step) -> float:
    """The candidate's share of all answers at a step; in a shadow both answer."""
    if step.canary is not None:
        return step.canary.percent / 100
    assert step.shadow is not None
    share = step.shadow.percent / 100
    return share / (1 + share)


def _by_start(counts: Sequence[RequestCount]) -> dict[datetime, RequestCount]:
    return {count.start: count for count in counts}

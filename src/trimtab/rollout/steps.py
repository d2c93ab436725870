"""From step to step: each lasts until its time and its checks allow the next."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from trimtab.api.rollout import OnInconclusive, Require, Rollout, Step
from trimtab.api.rollout_status import CheckStatus, Move, Phase, RolloutStatus, StepStatus
from trimtab.rollout.checks.base import is_lost
from trimtab.rollout.decision import Decision, Happened, Probe, noted, obeyed
from trimtab.rollout.failing import sentence
from trimtab.rollout.rolling_back import bounds_of, roll_back
from trimtab.rollout.traffic import wished
from trimtab.rollout.world import Observed
from trimtab.sequential import Verdict
from trimtab.sequential.t_mixture import least_blocks


def step_hash(step: Step) -> str:
    """8 hex of a step as written; kinds that came later leave the hash of older ones as it was."""
    absent = {kind for kind in ("preview", "audience") if getattr(step, kind) is None}
    return hashlib.sha256(step.model_dump_json(exclude=absent).encode()).hexdigest()[:8]


def enter(
    spec: Rollout, seen: Observed, status: RolloutStatus, index: int, now: datetime, because: str
) -> Decision:
    """Claim step `index`; the route follows. Past the last step the candidate is promoted."""
    candidate = status.candidate
    assert candidate is not None
    checks = status.checks
    if index >= len(spec.steps):
        return Decision(because, claim=status.model_copy(update={"phase": Phase.PROMOTING, "stalled": ""}))
    step = spec.steps[index]
    if step.shadow and status.stable and seen.copies.supported is None:
        return Decision.rest(
            f"{step.name} waits to learn whether the gateway copies requests",
            None,
            Probe(status.stable.revision, candidate.revision),
        )
    if status.stable and (unable := lacks(seen, step)):
        return _cannot_start(seen, f"{step.name} cannot start: {unable.because}", candidate.revision)
    claim = status.model_copy(
        update={
            "phase": _phase(spec, step),
            "step": StepStatus(
                name=step.name,
                index=index,
                trail=tuple(step_hash(passed) for passed in spec.steps[: index + 1]),
                started_at=now,
            ),
            "restarts": seen.restarts(candidate),
            "stable_restarts": seen.restarts(status.stable),
            "history": noted(
                status,
                Move(
                    at=now, kind="StepStarted", revision=candidate.revision, because=f"{step.name}: {because}"
                ),
            ),
            "stalled": "",
        }
    )
    happened = Happened("StepStarted", candidate.revision, f"{step.name}: {because}", bounds_of(checks))
    return Decision(because, claim=claim, happened=(happened,))


def reenter_edited_step(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """An edit of the step under way, or of one passed, starts there again; an edit of a later one just applies."""
    status = seen.status
    if status.step is None:
        return None
    now_written = tuple(step_hash(step) for step in spec.steps[: status.step.index + 1])
    if now_written == status.step.trail:
        return None
    same = 0
    for was, written in zip(status.step.trail, now_written, strict=False):
        if was != written:
            break
        same += 1
    return enter(spec, seen, status, min(same, len(spec.steps) - 1), now, "the step was edited")


def obey_promote(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """A person takes the decision on himself; what is broken or failing was rolled back before."""
    order = seen.new_order("promote", seen.status.candidate)
    if order is None or seen.status.step is None or not seen.ready(seen.status.candidate):
        return None
    status = seen.status.model_copy(update={"acts": obeyed(seen.status, order.id)})
    return enter(spec, seen, status, len(spec.steps), now, f"{order.by} promoted it")


def wait_for_route(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """No step counts before its traffic flows."""
    if seen.status.step is None or seen.flows(wished(spec, seen.status)):
        return None
    return Decision.rest("waiting for the route")


def ask_for_approval(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """An approval is of one revision at one step."""
    status, step = seen.status, seen.status.step
    if status.phase is not Phase.AWAITING_APPROVAL or step is None:
        return None
    order = seen.new_order("approve", status.candidate)
    if order is None or order.step != step.name:
        return Decision.rest(f"{step.name} waits for approval")
    approved = status.model_copy(update={"acts": obeyed(status, order.id)})
    return enter(spec, seen, approved, step.index + 1, now, f"{order.by} approved {step.name}")


def take_next_step(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """On when time, samples and checks allow it; `onInconclusive` when its time is over."""
    status = seen.status
    if status.step is None or status.candidate is None:
        return None
    step = spec.steps[status.step.index]
    waits = holding_back(spec, seen, step)
    checks = asked(spec, status, step)
    if not waits:
        because = "; ".join(sentence(check) for check in checks if check.verdict == Verdict.PASS)
        return enter(
            spec, seen, status, status.step.index + 1, now, because or f"{step.name} has run its time"
        )
    limit = step.until.max_duration
    if limit is None or status.step.elapsed_s < limit.total_seconds():
        return Decision.rest(waits)
    because = f"Inconclusive after {status.step.elapsed_s / 86_400:.1f} days at {step.name}: {waits}"
    if spec.on_inconclusive is OnInconclusive.ADVANCE:
        return enter(spec, seen, status, status.step.index + 1, now, because)
    if spec.on_inconclusive is OnInconclusive.ROLLBACK:
        return roll_back(seen, now, because, checks=checks)
    if status.stalled:
        return Decision.rest(status.stalled)
    happened = Happened("Stalled", status.candidate.revision, because, bounds_of(checks))
    return Decision(because, claim=status.model_copy(update={"stalled": because}), happened=(happened,))


def holding_back(spec: Rollout, seen: Observed, step: Step) -> str:
    """Why a step does not end yet; "" when it may."""
    status, until = seen.status, step.until
    assert status.step is not None
    if status.step.elapsed_s < until.min_duration.total_seconds():
        return f"{step.name} lasts {until.min_duration.total_seconds() / 86_400:g} days at least"
    if step.hold:
        return ""
    if seen.requests < until.min_samples:
        return f"{seen.requests} of {until.min_samples} requests"
    found = {check.name: check for check in asked(spec, status, step)}
    for check in spec.checks_at(step):
        held = found.get(check.name)
        if check.labelled and not is_lost(held):
            least = until.min_blocks or least_blocks(spec.alphas(check)[0])
            if held is None or held.units < least:
                return f"{check.name}: {held.units if held else 0} of {least} blocks"
        if check.require is Require.PASS and (held is None or held.verdict != Verdict.PASS):
            return f"{check.name}: no evidence yet" if held is None else f"{sentence(held)}, no Pass yet"
    return ""


def asked(spec: Rollout, status: RolloutStatus, step: Step) -> tuple[CheckStatus, ...]:
    """What is known of the checks asked at a step. Evidence of shadows and of canaries is kept apart."""
    moved = spec.traffic_step(step.name)
    if moved is None:
        return ()
    names = {check.name for check in spec.checks_at(moved)}
    steps = {s.name for s in spec.steps if bool(s.shadow) == bool(moved.shadow)}
    return tuple(c for c in status.checks if c.name in names and c.step in steps)


@dataclass(frozen=True, slots=True)
class Lacks:
    """What the gateway cannot do; `reason` is one word for a condition."""

    reason: str
    because: str


def lacks(seen: Observed, step: Step) -> Lacks | None:
    """What a step needs of the gateway and does not get; None where nothing is missing."""
    if step.shadow and seen.copies.supported is False:
        because = f"the gateway copies no requests: {seen.copies.because}".rstrip(": ")
        return Lacks("MirrorUnsupported", because)
    if step.audience and step.audience.way not in seen.apart.ways:
        because = f"the gateway tells nobody apart by {step.audience.way}: {seen.apart.because}".rstrip(": ")
        return Lacks("AudienceUnsupported", because)
    return None


def _cannot_start(seen: Observed, because: str, candidate: str) -> Decision:
    if seen.status.stalled == because:
        return Decision.rest(because)
    claim = seen.status.model_copy(update={"stalled": because})
    return Decision(because, claim=claim, happened=(Happened("Stalled", candidate, because),), waits=True)


def _phase(spec: Rollout, step: Step) -> Phase:
    if step.approval:
        return Phase.AWAITING_APPROVAL
    moved = spec.traffic_step(step.name) or step
    if moved.shadow:
        return Phase.SHADOW
    if moved.preview:
        return Phase.PREVIEW
    return Phase.AUDIENCE if moved.audience else Phase.CANARY

"""Before traffic comes its capacity; and what may be gone back to keeps its own.

The candidate has ceil(stable's replicas × share) before it gets that share, all of them warm. From the first step
until nothing can be undone, stable keeps as many as it had. Where there is one of each and no other number (one
machine), none of these rules has anything to say.
"""

from datetime import datetime

from trimtab.api.rollout import OnInconclusive, Rollout
from trimtab.api.rollout_status import Keeping, Phase, Replicas, RolloutStatus
from trimtab.rollout.decision import Decision, Scale, WarmUp
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.traffic import load, wished
from trimtab.rollout.world import Observed


def needed(spec: Rollout, seen: Observed) -> int:
    """Replicas of the candidate that the wished traffic needs; 0 where their number is not ours to say."""
    status = seen.status
    wish = wished(spec, status)
    if status.candidate is None or status.stable is None or wish is None:
        return 0
    server, stable = seen.servers.get(status.candidate.revision), seen.servers.get(status.stable.revision)
    if server is None or server.least is None or spec.capacity.candidate == "AsRendered":
        return 0
    whole = max(stable.replicas if stable else 0, status.capacity.stable)
    return -(-whole * load(wish, status.candidate.revision) // 100)


def lacking(spec: Rollout, seen: Observed) -> str:
    """Why the candidate could not take the wished traffic; "" if it could."""
    wants, held = needed(spec, seen), seen.status.capacity
    if not wants:
        return ""
    assert seen.status.candidate is not None
    have = seen.servers[seen.status.candidate.revision].replicas
    if have < wants:
        return f"{have} of {wants} replicas answer{seen.hindered(seen.status.candidate)}"
    return f"{held.warmed} of {wants} replicas are warm" if held.warmed < wants else ""


def frozen(spec: Rollout, seen: Observed) -> Replicas:
    """What is kept from the first step on."""
    status = seen.status
    stable = seen.servers.get(status.stable.revision) if status.stable else None
    own = seen.servers.get(status.candidate.revision) if status.candidate else None
    if stable is None or stable.least is None or own is None:
        return Replicas()
    kept = max(stable.replicas, status.capacity.stable) if spec.capacity.freeze_stable else 0
    return Replicas(stable=kept, warmed=own.replicas)


def raise_capacity(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """More are asked for as soon as the wished traffic needs them; what is new is cold."""
    status, wants = seen.status, needed(spec, seen)
    if wants <= status.capacity.candidate or status.phase is Phase.ROLLING_BACK:
        return None
    assert status.candidate is not None
    update: dict[str, object] = {"capacity": status.capacity.model_copy(update={"candidate": wants})}
    if wants > status.capacity.warmed:
        update |= {"warmed": 0, "warming": Keeping()}
    claim = status.model_copy(update=update)
    return Decision(
        f"{wants} replicas are needed", claim=claim, after=(Scale(status.candidate.revision, wants),)
    )


def release_capacity(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Once a step's traffic flows, the candidate needs no more than that; once, since stable's number wavers."""
    status, wants = seen.status, needed(spec, seen)
    if status.step is None or status.step.seen_s is None or status.step.sized:
        return None
    if status.candidate is None or not 0 < wants < status.capacity.candidate:
        return None
    capacity = status.capacity.model_copy(
        update={"candidate": wants, "warmed": min(wants, status.capacity.warmed)}
    )
    step = status.step.model_copy(update={"sized": True})
    claim = status.model_copy(update={"capacity": capacity, "step": step})
    return Decision(
        f"{wants} replicas are enough", claim=claim, after=(Scale(status.candidate.revision, wants),)
    )


def keep_capacity(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """What was claimed is asked for again, should a crash or a person have undone it."""
    wishes = _wished_least(seen.status)
    wrong = [
        Scale(revision, least)
        for revision, least in wishes.items()
        if (server := seen.servers.get(revision)) is not None
        and server.least is not None
        and not server.gone
        and server.least != least
    ]
    return Decision.rest("replicas are asked for", None, *wrong) if wrong else None


def warm_what_is_new(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Replicas that came later are warmed up as the first ones were."""
    status, held = seen.status, seen.status.capacity
    if status.candidate is None or status.phase in (Phase.STARTING, Phase.ROLLING_BACK):
        return None
    server = seen.servers.get(status.candidate.revision)
    if held.warmed >= held.candidate or server is None or server.replicas < held.candidate:
        return None
    missing = spec.warm_up.requests - status.warmed
    if missing > 0:
        return Decision("new replicas are warmed up", after=(WarmUp(status.candidate.revision, missing),))
    warm = held.model_copy(update={"warmed": held.candidate})
    return Decision("new replicas are warm", claim=status.model_copy(update={"capacity": warm}))


def wait_for_capacity(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """The step stands until its capacity is there; when it does not come, `onInconclusive` says what follows."""
    status, missing = seen.status, lacking(spec, seen)
    if not missing or seen.routed == wished(spec, status):
        return None
    if not overdue(spec, status) or spec.on_inconclusive is not OnInconclusive.ROLLBACK:
        return Decision.rest(f"waiting for capacity: {missing}")
    return roll_back(seen, now, f"Inconclusive: {missing} after {_limit_s(spec):.0f} s")


def overdue(spec: Rollout, status: RolloutStatus) -> bool:
    """Whether what is waited for should have come."""
    return status.warming.elapsed_s >= _limit_s(spec)


def thaw(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """When nothing is under way and nothing can be undone, the template says how many there are."""
    status = seen.status
    if status.candidate is not None or status.previous is not None or status.capacity == Replicas():
        return None
    if not seen.flows(wished(spec, status)):
        return None
    return Decision("stable scales freely again", claim=status.model_copy(update={"capacity": Replicas()}))


def _wished_least(status: RolloutStatus) -> dict[str, int]:
    """By revision; the candidate of a step that does not flow yet keeps what it has."""
    wishes = {ref.revision: status.capacity.stable for ref in (status.stable, status.previous) if ref}
    if status.candidate is not None and status.capacity.candidate and status.phase is not Phase.ROLLING_BACK:
        wishes[status.candidate.revision] = status.capacity.candidate
    return wishes


def _limit_s(spec: Rollout) -> float:
    return spec.warm_up.timeout.total_seconds()

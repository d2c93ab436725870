"""The candidate becomes stable; what was stable is kept warm for a while, for an instant undo."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Keeping, Move, Phase
from trimtab.rollout.capacity import wait_for_capacity
from trimtab.rollout.decision import Decision, Happened, NameStable, RetireServer, left, noted
from trimtab.rollout.rolling_back import bounds_of
from trimtab.rollout.world import Observed, Routed


def finish_promotion(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Once the candidate answers everything, the registry calls it stable, and so do we."""
    status, candidate = seen.status, seen.status.candidate
    if status.phase is not Phase.PROMOTING or candidate is None:
        return None
    if not seen.flows(Routed({candidate.revision: 100})):
        capacity = wait_for_capacity(spec, seen, now)
        return capacity or Decision.rest("waiting for the route to lead to the candidate")
    because = f"version {candidate.version} serves every request"
    claim = status.model_copy(
        update={
            "phase": Phase.IDLE,
            "stable": candidate,
            "candidate": None,
            "previous": status.stable,
            "leaving": status.leaving if status.previous is None else left(status, status.previous),
            "keeping": Keeping(),
            "step": None,
            "entered": 0,
            "capacity": status.capacity.model_copy(update={"candidate": 0, "warmed": 0}),
            "history": noted(
                status, Move(at=now, kind="Promoted", revision=candidate.revision, because=because)
            ),
            "stalled": "",
        }
    )
    happened = Happened("Promoted", candidate.revision, because, bounds_of(status.checks))
    return Decision(because, before=(NameStable(candidate),), claim=claim, happened=(happened,))


def release_previous(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """After `keepPrevious` there is no undo."""
    status = seen.status
    if status.previous is None or status.keeping.elapsed_s < spec.keep_previous.total_seconds():
        return None
    claim = status.model_copy(update={"previous": None, "leaving": left(status, status.previous)})
    return Decision("the previous revision is no longer kept warm", claim=claim)


def retire_what_left(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """A server goes only once no route names it, and is seen not to, and only if nobody needs it."""
    status = seen.status
    if not seen.in_effect:
        return None
    needed = {ref.revision for ref in (status.stable, status.candidate, status.previous) if ref}
    routed = seen.routed.names() if seen.routed else frozenset()
    free = [ref for ref in status.leaving if ref.revision not in routed]
    if not free:
        return None
    claim = status.model_copy(
        update={"leaving": tuple(ref for ref in status.leaving if ref.revision in routed)}
    )
    acts = tuple(RetireServer(ref.revision) for ref in free if ref.revision not in needed)
    return Decision("servers that nobody needs are stopped", before=acts, claim=claim)


def retire_strays(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Servers that a lost status left behind."""
    status = seen.status
    if not seen.in_effect:
        return None
    known = {
        ref.revision for ref in (status.stable, status.candidate, status.previous, *status.leaving) if ref
    }
    known |= seen.routed.names() if seen.routed else frozenset()
    strays = [name for name, server in seen.servers.items() if name not in known and not server.gone]
    if not strays:
        return None
    return Decision.rest(
        "servers that nobody knows are stopped", None, *(RetireServer(name) for name in strays)
    )

"""Which revision is under way: only the newest waits, and what was rejected stays out."""

from datetime import datetime

from trimtab.api.rollout import OnNewCandidate, Rollout
from trimtab.api.rollout_status import Keeping, Move, Phase
from trimtab.rollout.decision import Decision, Happened, noted
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.world import Observed


def supersede(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Where the policy says so, a newer candidate takes the place of the one in flight."""
    status, newest = seen.status, seen.newest
    if spec.on_new_candidate is not OnNewCandidate.SUPERSEDE or status.candidate is None or newest is None:
        return None
    if status.phase is Phase.PROMOTING or newest.rejected is not None:
        return None
    if newest.ref.revision in {ref.revision for ref in (status.candidate, status.stable) if ref}:
        return None
    return roll_back(seen, now, f"a newer candidate came, {newest.ref.revision}", reject=False)


def take_candidate(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """The newest revision goes under way, if none is, and unless it serves already or was rejected."""
    status, newest = seen.status, seen.newest
    if status.candidate is not None or newest is None or newest.rejected is not None:
        return None
    ref = newest.ref
    if status.stable is not None and ref.revision == status.stable.revision:
        return None
    because = f"version {ref.version} is the newest candidate" + (
        f", retry {newest.attempt}" if newest.attempt else ""
    )
    claim = status.model_copy(
        update={
            "phase": Phase.STARTING,
            "candidate": ref,
            "previous": None
            if status.previous and status.previous.revision == ref.revision
            else status.previous,
            "attempt": newest.attempt,
            "step": None,
            "warming": Keeping(),
            "warmed": 0,
            "restarts": 0,
            "stable_restarts": seen.restarts(status.stable),
            "capacity": status.capacity.model_copy(update={"candidate": 0, "warmed": 0}),
            "checks": (),
            "leaving": tuple(r for r in status.leaving if r.revision != ref.revision),
            "history": noted(
                status, Move(at=now, kind="CandidateTaken", revision=ref.revision, because=because)
            ),
            "stalled": "",
        }
    )
    return Decision(
        because,
        claim=claim,
        happened=(Happened("CandidateTaken", ref.revision, because, {"version": ref.version}),),
    )

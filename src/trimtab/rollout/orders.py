"""What a person ordered comes first. An order acts once, by its id, and only on the revision that it names."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import KEPT, Move, Phase, Rejected
from trimtab.rollout.decision import (
    Decision,
    EnsureServer,
    Happened,
    Lift,
    NameStable,
    Reject,
    left,
    noted,
    obeyed,
)
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.world import Observed


def obey_abort(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Abort is of the candidate in flight."""
    order = seen.new_order("abort", seen.status.candidate)
    if order is None or (seen.status.rollback and seen.status.rollback.reject):
        return None
    return roll_back(seen, now, f"{order.by} aborted it", order=order.id)


def obey_undo(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Undo is of the stable revision: the previous one, still warm, takes its place."""
    status = seen.status
    stable, previous = status.stable, status.previous
    order = seen.new_order("undo", stable)
    if order is None or stable is None or previous is None or status.phase is Phase.ROLLING_BACK:
        return None
    because = f"{order.by} undid it"
    if status.candidate is not None:
        return roll_back(seen, now, f"{order.by} undid the promotion before it", reject=False)
    if seen.gone(previous):
        return Decision.rest("the previous revision is started again", None, EnsureServer(previous))
    if not seen.ready(previous):
        return None
    entry = Rejected(revision=stable.revision, version=stable.version, because=because, at=now)
    claim = status.model_copy(
        update={
            "stable": previous,
            "previous": None,
            "leaving": left(status, stable),
            "rejected": (*status.rejected, entry)[-KEPT:],
            "acts": obeyed(status, order.id),
            "history": noted(status, Move(at=now, kind="Undone", revision=stable.revision, because=because)),
        }
    )
    # The registry's word for stable moves before the bar is set, so that no crash leaves a barred revision stable.
    return Decision(
        because,
        before=(NameStable(previous), Reject(stable, because, status.attempt)),
        claim=claim,
        happened=(Happened("Undone", stable.revision, because),),
    )


def obey_retry(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Retry lets a barred revision in again, if it is still the newest; its old evidence is discarded.

    Ordered of one that is not barred it is spent at once: it must not lift a bar that comes later.
    """
    newest, status = seen.newest, seen.status
    order = seen.new_order("retry", newest.ref if newest else None)
    if newest is None or order is None or order.id in newest.retried_by:
        return None
    claim = status.model_copy(
        update={
            "acts": obeyed(status, order.id),
            "rejected": tuple(r for r in status.rejected if r.revision != newest.ref.revision),
        }
    )
    if newest.rejected is None:
        return Decision("nothing to try again: the revision is not rejected", claim=claim)
    return Decision(
        f"{order.by} asked to try it again",
        before=(Lift(newest.ref, order.id),),
        claim=claim,
        happened=(Happened("Retried", newest.ref.revision, f"{order.by} asked to try it again"),),
    )

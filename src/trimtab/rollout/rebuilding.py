"""A status that was lost is rebuilt from what is observed: who serves, and what the registry says."""

from collections.abc import Sequence
from typing import Final

from trimtab.api.rollout_status import RevisionRef, RolloutStatus
from trimtab.rollout.world import Newest, Ordered, Routed

LETS_THROUGH: Final = ("approve", "promote")


def rebuilt(
    routed: Routed | None,
    named: RevisionRef | None,
    known: Sequence[Newest],
    order: Ordered | None = None,
) -> RolloutStatus:
    """What can be said for certain; a candidate in flight starts anew, and nothing rejected comes back.

    Args:
        routed: what the gateway does.
        named: the revision that the registry calls stable.
        known: every version of the registry, oldest first.
        order: the newest one, from before the loss. What it lets through may have begun anew since: it counts as
            spent. One that protects (abort, undo) still stands; of a retry the registry knows.

    >>> rebuilt(None, None, []).stable is None
    True
    """
    by_revision = {version.ref.revision: version for version in known}
    owner = _sole(routed)
    serving = by_revision.get(owner) if owner else None
    barred = {revision for revision, version in by_revision.items() if version.rejected is not None}
    trusted = named if named is not None and named.revision not in barred else None
    if serving is not None and (serving.rejected is None or trusted is None):
        stable: RevisionRef | None = serving.ref
    else:
        stable = trusted or named
    spent = (order.id,) if order is not None and order.verb in LETS_THROUGH else ()
    if stable is None:
        return RolloutStatus(acts=spent)
    oldest_first = list(by_revision)
    after = oldest_first[oldest_first.index(stable.revision) + 1 :] if stable.revision in by_revision else []
    return RolloutStatus(
        stable=stable,
        previous=trusted if trusted is not None and trusted.revision != stable.revision else None,
        entered=sum(1 for revision in after if revision in barred),
        acts=spent,
    )


def _sole(routed: Routed | None) -> str | None:
    if routed is None or len(routed.weights) != 1:
        return None
    return next(iter(routed.weights))

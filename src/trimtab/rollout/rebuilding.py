"""A status that was lost is rebuilt from what is observed: who serves, and what the registry says."""

from collections.abc import Sequence

from trimtab.api.rollout_status import RevisionRef, RolloutStatus
from trimtab.rollout.world import Newest, Routed


def rebuilt(routed: Routed | None, named: RevisionRef | None, known: Sequence[Newest]) -> RolloutStatus:
    """What can be said for certain; a candidate in flight starts anew, and nothing rejected comes back.

    Args:
        routed: what the gateway does.
        named: the revision that the registry calls stable.
        known: every version of the registry, oldest first.

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
    if stable is None:
        return RolloutStatus()
    order = list(by_revision)
    after = order[order.index(stable.revision) + 1 :] if stable.revision in by_revision else []
    return RolloutStatus(
        stable=stable,
        previous=trusted if trusted is not None and trusted.revision != stable.revision else None,
        entered=sum(1 for revision in after if revision in barred),
    )


def _sole(routed: Routed | None) -> str | None:
    if routed is None or len(routed.weights) != 1:
        return None
    return next(iter(routed.weights))

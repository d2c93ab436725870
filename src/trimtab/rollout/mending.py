"""The route is made what the status asks for: this mends a foreign edit and carries out our own claims alike."""

from datetime import datetime

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase, RevisionRef
from trimtab.rollout.capacity import lacking
from trimtab.rollout.decision import Decision, EnsureServer, Route
from trimtab.rollout.traffic import load, wished
from trimtab.rollout.world import Observed, Routed


def mend_route(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Never weight or mirror on a revision that does not answer, but to stable as the last resort.

    What was told is not told again while the gateway is about to do it.
    """
    wish = wished(spec, seen.status)
    if wish is None or seen.routed == wish:
        return None
    stable, candidate = seen.status.stable, seen.status.candidate
    if candidate is not None and candidate.revision in wish.names():
        if not seen.ready(candidate):
            if stable is None:
                return None
            wish = Routed({stable.revision: 100})
        elif stable is not None and lacking(spec, seen):
            wish = _held(seen.routed, wish, stable, candidate)
    if seen.routed == wish:
        return None
    if stable is not None and stable.revision in wish.names() and seen.gone(stable):
        return None
    return Decision("the route becomes what the step asks for", after=(Route(wish),))


def _held(routed: Routed | None, wish: Routed, stable: RevisionRef, candidate: RevisionRef) -> Routed:
    """The traffic until there is capacity for more: what flows, if the candidate gets less of it than is wished."""
    ours = {stable.revision, candidate.revision}
    share, more = load(routed, candidate.revision), load(wish, candidate.revision)
    if share > more:
        return wish
    answers = routed.weights.get(candidate.revision, 0) if routed else 0
    if routed is None or not routed.names() <= ours or answers > wish.weights.get(candidate.revision, 0):
        return Routed({stable.revision: 100})
    return routed


def keep_serving(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Stable and the candidate under way always have a server; one that vanished is asked for again."""
    status = seen.status
    candidate = None if status.phase is Phase.ROLLING_BACK else status.candidate
    missing = [ref for ref in (status.stable, candidate) if ref is not None and seen.gone(ref)]
    if not missing:
        return None
    return Decision.rest(
        f"waiting for a server of {missing[0].revision}", None, *(EnsureServer(ref) for ref in missing)
    )

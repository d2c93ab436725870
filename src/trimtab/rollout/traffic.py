"""The traffic that a status asks for."""

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase, RevisionRef, RolloutStatus
from trimtab.rollout.world import Routed


def load(routed: Routed | None, revision: str) -> int:
    """Percent of the host's requests that a revision answers, copies included.

    How many come with a header or a cookie nobody knows: all of them might.

    >>> load(Routed({"a": 100}, "b", 40), "b"), load(Routed({"a": 95, "b": 5}), "b"), load(None, "b")
    (40, 5, 0)
    """
    if routed is None:
        return 0
    if routed.chosen == revision and routed.audience is not None and routed.audience.way != "hash":
        return 100
    return routed.weights.get(revision, 0) + (routed.mirror_percent if routed.mirror == revision else 0)


def wished(spec: Rollout, status: RolloutStatus) -> Routed | None:
    """What the route should be; None before anything may be served.

    >>> wished(Rollout(), RolloutStatus()) is None
    True
    """
    stable, candidate = status.stable, status.candidate
    if status.phase is Phase.PROMOTING and candidate is not None:
        return Routed({candidate.revision: 100})
    if stable is None:
        return None
    alone = Routed({stable.revision: 100})
    if candidate is None or status.step is None or status.phase is Phase.ROLLING_BACK:
        return alone
    step = spec.traffic_step(status.step.name)
    if step is None:
        return alone
    if step.shadow:
        return Routed({stable.revision: 100}, candidate.revision, step.shadow.percent)
    if step.preview:
        return Routed({stable.revision: 100}, preview=candidate.revision, preview_host=step.preview.hostname)
    if step.audience:
        share = step.audience.hash.percent if step.audience.hash else 0
        return Routed(_shared(stable, candidate, share), chosen=candidate.revision, audience=step.audience)
    assert step.canary is not None
    return Routed(_shared(stable, candidate, step.canary.percent))


def _shared(stable: RevisionRef, candidate: RevisionRef, percent: int) -> dict[str, int]:
    return {stable.revision: 100 - percent} | ({candidate.revision: percent} if percent else {})

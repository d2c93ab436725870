"""The traffic that a status asks for."""

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase, RolloutStatus
from trimtab.rollout.world import Routed


def load(routed: Routed | None, revision: str) -> int:
    """Percent of the host's requests that a revision answers, copies included.

    >>> load(Routed({"a": 100}, "b", 40), "b"), load(Routed({"a": 95, "b": 5}), "b"), load(None, "b")
    (40, 5, 0)
    """
    if routed is None:
        return 0
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
    assert step.canary is not None
    share = step.canary.percent
    return Routed({stable.revision: 100 - share, candidate.revision: share})

"""A candidate that does not work is rolled back, whatever its checks say."""

from datetime import datetime
from typing import Final

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase
from trimtab.rollout.decision import Decision
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.warming import unwarmed
from trimtab.rollout.world import Observed

NOT_READY_S: Final = 30.0
RESTARTS: Final = 3
STARVED_S: Final = 60.0


def roll_back_what_is_broken(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Not ready or without an endpoint for 30 s, died 3 times, under half answered for 60 s, or never ready.

    Where stable fails alike, it is not the candidate: nothing is known of it, and it stands as it does.
    """
    status, candidate = seen.status, seen.status.candidate
    if candidate is None or status.phase is Phase.ROLLING_BACK:
        return None
    because = _never_ready(spec, seen) if status.phase is Phase.STARTING else _broken(seen)
    return roll_back(seen, now, because) if because else None


def _never_ready(spec: Rollout, seen: Observed) -> str:
    status, warm_up = seen.status, spec.warm_up
    if died := _restarted(seen):
        return died
    if status.warming.elapsed_s < warm_up.timeout.total_seconds():
        return ""
    if status.stable is not None and not seen.ready(status.stable):
        return ""
    if not seen.ready(status.candidate):
        because = seen.hindered(status.candidate)
        return f"broken: not ready within {warm_up.timeout.total_seconds():.0f} s{because}"
    if status.warmed < warm_up.requests:
        return f"broken: {unwarmed(spec, seen)}"
    return ""


def _broken(seen: Observed) -> str:
    candidate = seen.status.candidate
    assert candidate is not None
    server = seen.servers.get(candidate.revision)
    alike = seen.status.stable is not None and not seen.ready(seen.status.stable)
    if server is not None and not server.ready and server.since_s >= NOT_READY_S and not alike:
        return f"broken: not ready for {NOT_READY_S:.0f} s{seen.hindered(candidate)}"
    if died := _restarted(seen):
        return died
    if seen.unreached_s >= NOT_READY_S:
        return f"broken: the gateway has found no endpoint of it for {NOT_READY_S:.0f} s"
    if seen.starved_s >= STARVED_S:
        return f"broken: answered under half of the requests sent to it for {STARVED_S:.0f} s"
    return ""


def _restarted(seen: Observed) -> str:
    status = seen.status
    grown = seen.restarts(status.candidate) - status.restarts
    alike = status.stable is not None and seen.restarts(status.stable) - status.stable_restarts >= RESTARTS
    return f"broken: its server died {grown} times" if grown >= RESTARTS and not alike else ""

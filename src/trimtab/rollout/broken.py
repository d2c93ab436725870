"""A candidate that does not work is rolled back, whatever its checks say."""

from datetime import datetime
from typing import Final

from trimtab.api.rollout import Rollout
from trimtab.api.rollout_status import Phase
from trimtab.rollout.decision import Decision
from trimtab.rollout.rolling_back import roll_back
from trimtab.rollout.world import Observed

NOT_READY_S: Final = 30.0
RESTARTS: Final = 3
STARVED_S: Final = 60.0


def roll_back_what_is_broken(spec: Rollout, seen: Observed, now: datetime) -> Decision | None:
    """Not ready for 30 s, restarts grown by 3, under half of its requests answered for 60 s, or never ready."""
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
    if not seen.ready(status.candidate):
        return f"broken: not ready within {warm_up.timeout.total_seconds():.0f} s"
    if status.warmed < warm_up.requests:
        return f"broken: answered {status.warmed} of {warm_up.requests} warm-up requests"
    return ""


def _broken(seen: Observed) -> str:
    candidate = seen.status.candidate
    assert candidate is not None
    server = seen.servers.get(candidate.revision)
    if server is not None and not server.ready and server.since_s >= NOT_READY_S:
        return f"broken: not ready for {NOT_READY_S:.0f} s {server.message}".rstrip()
    if died := _restarted(seen):
        return died
    if seen.starved_s >= STARVED_S:
        return f"broken: answered under half of the requests sent to it for {STARVED_S:.0f} s"
    return ""


def _restarted(seen: Observed) -> str:
    assert seen.status.candidate is not None
    server = seen.servers.get(seen.status.candidate.revision)
    grown = server.restarts - seen.status.restarts if server else 0
    return f"broken: its server died {grown} times" if grown >= RESTARTS else ""

"""A clock that was set back: a step's beginning, or what was judged of it, lies ahead of now.

What the collector holds from there on was judged already, or is of the steps before, under another weight. So it is
not judged (again): the step's time stands until the clock has come there. Where the collector holds nothing of the
day to come, the clock had only been ahead for a while, and the step's evidence begins now.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from trimtab.api.rollout_status import CheckStatus

DAY: Final = timedelta(days=1)


def reached(started_at: datetime, checks: Iterable[CheckStatus], bucket: timedelta) -> datetime:
    """Up to when a step has begun, and its buckets of requests are judged."""
    ends = [
        datetime.fromisoformat(check.evidence["through"]) + bucket
        for check in checks
        if check.evidence.get("since") == started_at.isoformat()
        and check.evidence.get("through")
        and "strata" in check.evidence
    ]
    return max([started_at, *ends])


def begins(
    started_at: datetime, reached: datetime, now: datetime, answered: Callable[[datetime, datetime], bool]
) -> tuple[datetime, str]:
    """When a step's evidence begins, and why its time stands; "" while it runs.

    Args:
        answered: whether the collector holds any request of a span.

    >>> at = datetime.fromisoformat
    >>> begins(at("2026-11-01T10:00Z"), at("2026-11-01T11:30Z"), at("2026-11-01T10:30Z"), lambda start, end: True)[1]
    'the clock was set back: evidence goes on at 2026-11-01 11:30 UTC'
    """
    if reached <= now:
        return started_at, ""
    if not answered(now, min(reached, now + DAY)):
        return now, ""
    return started_at, f"the clock was set back: evidence goes on at {reached:%Y-%m-%d %H:%M} UTC"

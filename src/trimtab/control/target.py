"""What a loop steers, by which names, and how it cuts time."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from trimtab.api.rollout import Check
from trimtab.ports.evidence import BlockCut
from trimtab.quality.blocks import block_end, block_starts

GRACE: Final = timedelta(seconds=30)
"""How long the last events of a closed hour may take to the collector."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Target:
    """One model in service. On one machine its rollout, registered model, served name and host share one name.

    Attributes:
        name: of the rollout; its status, orders and suspension go by it.
        cut: blocks of labelled evidence: local days.
        mature_after: a cohort is scored this long after its time.
        tick: how often the loop looks; elapsed time is credited two ticks at most.
        poll_every: how often the registry is asked for a new candidate.
        model: the registered model; `name` where it is not given, as for the three below.
        served: the name by which clients call it, the same for every revision.
        host: what the gateway is asked about.
        scope: whose rejections the registry's tags hold: unique among all rollouts of a registry.
        template: canonical text of the rendered serving template; another text is another revision.
        alias: the registry's name of the wished version.
        stable_alias: the registry's name of the version in service.
        closed_every: evidence from requests closes at whole multiples of this; divides a day.
    """

    name: str
    cut: BlockCut = field(default_factory=BlockCut)
    mature_after: timedelta = timedelta()
    tick: timedelta = timedelta(seconds=10)
    poll_every: timedelta = timedelta(seconds=60)
    model: str = ""
    served: str = ""
    host: str = ""
    scope: str = ""
    template: str = ""
    alias: str = "candidate"
    stable_alias: str = "stable"
    closed_every: timedelta = HOUR

    def __post_init__(self) -> None:
        for unnamed in ("model", "served", "host", "scope"):
            if not getattr(self, unnamed):
                object.__setattr__(self, unnamed, self.name)

    def cut_for(self, check: Check) -> "Target":
        """This target, its labelled evidence in the blocks that a check asks for; days where it does not say."""
        if check.block != "1h":
            return self
        return replace(self, cut=replace(self.cut, length_s=HOUR // timedelta(seconds=1)))

    def block_start(self, at: datetime) -> datetime:
        """Start of the block that holds a time."""
        return _block_start(at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0), self.cut)

    def block_end(self, start: datetime) -> datetime:
        """End of the block that begins at `start`."""
        return block_end(start, self.cut.length_s, self.cut.zone, self.cut.cut_hour)

    def mature(self, now: datetime) -> datetime:
        """Before this, every block is closed and its labels are mature."""
        return self.block_start(now - self._wait)

    def next_mature(self, now: datetime) -> datetime:
        """When the next block will be."""
        return self.block_end(self.mature(now)) + self._wait

    @property
    def closed_s(self) -> int:
        """`closed_every` in seconds."""
        return self.closed_every // timedelta(seconds=1)

    def closed(self, now: datetime) -> datetime:
        """Before this, all evidence from requests is closed and its events have come.

        >>> Target("m").closed(datetime(2013, 4, 1, 10, 0, 10, tzinfo=UTC)).hour
        9
        >>> Target("m", closed_every=timedelta(minutes=1)).closed(datetime(2013, 4, 1, 10, 5, 40, tzinfo=UTC)).minute
        5
        """
        come = now - GRACE
        day = come.replace(hour=0, minute=0, second=0, microsecond=0)
        return day + (come - day) // self.closed_every * self.closed_every

    def next_closed(self, now: datetime) -> datetime:
        """When more of it will be."""
        return self.closed(now) + self.closed_every + GRACE

    @property
    def _wait(self) -> timedelta:
        """Labels that mature at once still take their way to the collector, as events do."""
        return max(self.mature_after, GRACE)


@lru_cache(maxsize=1000)
def _block_start(quarter: datetime, cut: BlockCut) -> datetime:
    """Blocks begin on quarters of an hour, wherever clocks stand."""
    here = np.array([quarter.astimezone(UTC).replace(tzinfo=None)], "datetime64[us]")
    start: datetime = block_starts(here, cut.length_s, cut.zone, cut.cut_hour)[0].item()
    return start.replace(tzinfo=UTC)

"""What is written down while the year goes by, beside what the loop itself remembers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from trimtab.api.rollout_status import RolloutStatus


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who got what from a time on: percent by revision, and who got copies."""

    at: datetime
    weights: Mapping[str, int]
    mirror: str | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """One check at one time.

    Attributes:
        entered: the how-manieth candidate since the last promotion: the j-th passes at alpha/2^(j-1).
    """

    at: datetime
    revision: str
    step: str
    check: str
    verdict: str
    estimate: float | None
    lower: float | None
    upper: float | None
    margin: float | None
    units: int
    rows: int
    entered: int = 1


@dataclass(slots=True)
class Story:
    """Traffic whenever it changed, and the bounds of every check once a day of a rollout."""

    traffic: list[Traffic] = field(default_factory=list)
    bounds: list[Bounds] = field(default_factory=list)
    _seen: Any = None

    def look(self, now: datetime, status: RolloutStatus) -> None:
        """Write down what is new at the loop's time."""
        weights, mirror = dict(status.traffic), status.mirror
        if not self.traffic or (self.traffic[-1].weights, self.traffic[-1].mirror) != (weights, mirror):
            self.traffic.append(Traffic(now, weights, mirror))
        seen = (status.candidate, tuple(status.checks))
        if status.candidate is None or seen == self._seen:
            return
        self._seen = seen
        self.bounds += [
            Bounds(
                now, status.candidate.revision, check.step, check.name, str(check.verdict), check.estimate, check.lower,
                check.upper, check.margin, check.units, check.rows, status.entered,
            )
            for check in status.checks
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {
            "traffic": [asdict(one) for one in self.traffic],
            "bounds": [asdict(one) for one in self.bounds],
        }

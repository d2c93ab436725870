"""How labels of a rollout come: in which blocks of whose day, and when they are mature. The stable model's profile
says; while that cannot be fetched, nothing that waits for labels is judged, and everything else goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.rollout_status import RevisionRef
from trimtab.drift import Profile
from trimtab.ports.evidence import (
    Agreement,
    BlockCut,
    Evidence,
    Latencies,
    PairedBlock,
    RequestCount,
    ScoredBlock,
)
from trimtab.ports.profiles import Profiles
from trimtab.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Attributes:
    cut: how time is cut into blocks.
    mature_after: how long a label may take.
    unknown: why neither is known now; "" where they are.
    """

    cut: BlockCut = field(default_factory=BlockCut)
    mature_after: timedelta = timedelta()
    unknown: str = ""


def cohorts(profiles: Profiles, stable: RevisionRef | None) -> Cohorts:
    """As the stable model's profile says; the defaults where it has none."""
    if stable is None:
        return Cohorts()
    try:
        profile = Profile.from_bytes(profiles.profile(stable.uri))
    except InputRefused:
        return Cohorts()
    except SurroundingsFailed as error:
        return Cohorts(unknown=error.message)
    after_s = profile.label.mature_after_s if profile.label is not None else 0
    return Cohorts(BlockCut(zone=profile.time_zone), timedelta(seconds=after_s))


class WithoutLabels:
    """ports.evidence.Evidence of a collector, but for what rests on blocks of labels: these cannot be cut now."""

    def __init__(self, inner: Evidence, because: str) -> None:
        self._inner, self._because = inner, because

    def observe(self, revision: str, profile: bytes) -> None:
        self._inner.observe(revision, profile)

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, Sketch]:
        return self._inner.sketches(revision, start, end)

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        return self._inner.requests(revision, start, end, bucket_s)

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies:
        return self._inner.latencies(revision, start, end)

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        raise self._unknown()

    def paired(
        self, stable: str, candidate: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[PairedBlock]:
        raise self._unknown()

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement:
        return self._inner.agreement(stable, candidate, start, end)

    def received(self) -> Mapping[str, int]:
        return self._inner.received()

    def _unknown(self) -> SurroundingsFailed:
        return SurroundingsFailed(f"the stable model's profile, which says how labels come: {self._because}")

"""What was served and what came true: the questions that `control` asks of the collector.

All spans are half-open [start, end) in event time, timezone-aware UTC. `now` is the loop's clock (the
replay's, in the demo): a label counts only when its cohort is mature, event time ≤ now − label.matureAfter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trimtab.sketch import Sketch


@dataclass(frozen=True, slots=True)
class BlockCut:
    """How time is cut into blocks of evidence (verdicts.md 1).

    Attributes:
        length_s: block length in seconds; 86400 is one local day.
        zone: IANA time zone in which days are cut.
        cut_hour: local hour at which a day starts, 0–23.
    """

    length_s: int = 86_400
    zone: str = "UTC"
    cut_hour: int = 4


@dataclass(frozen=True, slots=True)
class ScoredBlock:
    """Mature, labelled predictions of one revision in one closed block.

    A label counts when it was known by the row's time + matureAfter; one that comes later leaves the row
    missing, so the block never changes. A prediction that is not finite counts as certain and wrong.

    Attributes:
        start: the block's start.
        rows: predictions with a label.
        missing: predictions whose label had not come at maturity.
        loss: Σ log loss over `rows`, probabilities clipped to [0.001, 0.999], nats.
        brier: Σ (p − y)² over `rows`.
        skill_rows, skill: rows that have a climatology, and Σ (log loss of the model − of climatology).
        positives: Σ y.
    """

    start: datetime
    rows: int
    missing: int
    loss: float
    brier: float
    skill_rows: int
    skill: float
    positives: int


@dataclass(frozen=True, slots=True)
class PairedBlock:
    """The same mature examples scored by two revisions, in one closed block; δ = loss(candidate) − loss(stable).

    Attributes:
        rows: examples with a label that both revisions predicted.
        missing: such examples without a label at maturity.
        delta: Σ δ of log loss over `rows`.
        delta_if_0, delta_if_1: Σ δ over the missing ones, were each label 0, or 1.
    """

    start: datetime
    rows: int
    missing: int
    delta: float
    delta_if_0: float
    delta_if_1: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Paired predictions of two revisions, labels not needed.

    Attributes:
        pairs: predictions made by both.
        disagree: pairs on different sides of 0.5.
        difference: Σ (p_candidate − p_stable).
        not_finite: candidate predictions that are NaN or infinite.
        distinct: distinct values among the candidate's predictions, counted up to 2.
    """

    pairs: int
    disagree: int
    difference: float
    not_finite: int
    distinct: int


@dataclass(frozen=True, slots=True)
class RequestCount:
    """Requests that one revision answered in one time bucket (of UTC); a request counts once, an error once.

    An error is a request that was not answered 2xx.
    """

    start: datetime
    requests: int
    errors: int
    rows: int


@dataclass(frozen=True, slots=True)
class Latencies:
    """Durations of requests that were answered 2xx, as counts on a fixed geometric grid.

    Attributes:
        edges_ms: upper edge of each bucket, ascending, ratio 1.02 between neighbours, shape (buckets,).
        counts: requests a bucket, shape (buckets,).
    """

    edges_ms: Sequence[float]
    counts: Sequence[int]


class Evidence(Protocol):
    """One collector, seen from the loop. Raises SurroundingsFailed when it cannot be reached."""

    def observe(self, revision: str, profile: bytes) -> None:
        """Make a revision known: its profile carries grids, label rule, key and time zone. Idempotent."""

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, Sketch]:
        """Sketch of each feature over the UTC hours that begin in the span.

        Raises:
            InputRefused: the revision's profile has not come.
        """

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        """Requests a time bucket, empty buckets left out; `bucket_s` divides 86400."""

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies: ...

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        """Blocks that end by `end` and were wholly mature at `now`, in order; empty ones are left out.

        A block that begins before `start` holds its rows from `start` on, and is named by its own start.
        """

    def paired(
        self, stable: str, candidate: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[PairedBlock]:
        """Blocks as of `scored`, of the examples that both revisions predicted; time and label rule are stable's."""

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement: ...

    def received(self) -> Mapping[str, int]:
        """Request events taken since the log began, by revision: one side of the replay's barrier."""

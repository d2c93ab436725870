"""DriftMonitor: is the world still the one that the model was trained on?

The `monitor:` of trimtab.yaml is a `Monitor`. Thresholds are learned from the reference, so that a stated number
of false alarms is kept (verdicts.md 4); performance is judged on skill (verdicts.md 3).
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from trimtab.api.values import Alpha, Duration, Fraction, Number, Real, Spec, Stored

NumberMeasure = Literal["ks", "wasserstein", "psi", "jensen_shannon"]
CategoryMeasure = Literal["jensen_shannon", "psi", "chi_square"]


class Window(Spec):
    """Disjoint windows of event time.

    Attributes:
        length: default the smallest of 1h, 6h, 1d, 7d that holds `min_rows` in the reference.
        min_rows: fewer rows are no evidence.
    """

    length: Duration | None = None
    min_rows: Annotated[int, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.length is not None:
            seconds = int(self.length.total_seconds())
            if seconds < 3600 or seconds % 3600 or (seconds < 86_400 and 86_400 % seconds):
                raise ValueError("window.length is whole hours: one that divides a day, or whole days")
            if seconds > 86_400 and seconds % 86_400:
                raise ValueError("window.length is whole hours: one that divides a day, or whole days")
        return self


class Measures(Spec):
    """The measure of a numeric, and of a categorical column."""

    number: NumberMeasure = "ks"
    category: CategoryMeasure = "jensen_shannon"


class Override(Spec):
    """What holds for columns whose name matches a glob; the first match wins."""

    match: Annotated[str, Field(min_length=1, max_length=253)]
    measure: NumberMeasure | CategoryMeasure | None = None
    threshold: Number | None = None
    ignore: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.ignore == (self.measure is not None or self.threshold is not None):
            raise ValueError(f"override '{self.match}': give either ignore: true, or a measure or threshold")
        return self


class FalseAlarms(Spec):
    """How many episodes may open by chance."""

    per: Duration = timedelta(days=90)
    at_most: Annotated[int, Field(ge=1, le=100)] = 1


class Trip(Spec):
    """When drifted windows make an episode: `windows` of the last `of`, each with this share of columns drifted."""

    windows: Annotated[int, Field(ge=1, le=20)] = 2
    of: Annotated[int, Field(ge=1, le=20)] = 3
    drifted_share: Fraction = Decimal("0.2")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.windows > self.of:
            raise ValueError("trip.windows is at most trip.of")
        return self


class Performance(Spec):
    """Skill beside climatology, on mature cohorts (verdicts.md 3).

    Attributes:
        max_drop: nats a row of mean loss that may be lost against the reference before it counts.
        alpha: probability of a false alarm, ever.
    """

    metric: Literal["skill"] = "skill"
    block: Literal["1d"] = "1d"
    max_drop: Annotated[Number, Field(ge=0)] = Decimal(0)
    alpha: Alpha = Decimal("0.05")


class Monitor(Spec):
    """The `monitor:` of a project; the spec of a DriftMonitor but for its target and reference."""

    window: Window = Window()
    measures: Measures = Measures()
    overrides: Annotated[tuple[Override, ...], Field(max_length=200)] = ()
    false_alarms: FalseAlarms = FalseAlarms()
    trip: Trip = Trip()
    performance: Performance | None = Performance()
    min_coverage: Fraction = Decimal("0.9")


class Episode(Stored):
    """A stretch of time in which the model is held to be out of date; a promotion closes it.

    Attributes:
        cause: what opened it.
        evidence: the bounds that it rests on, for a person.
    """

    id: str
    cause: Literal["performance", "drift"]
    opened_at: AwareDatetime
    revision: str
    because: str = ""
    closed_at: AwareDatetime | None = None


class DriftedColumn(Stored):
    """How one feature fared in the latest judged window."""

    column: str
    measure: str
    value: Real | None = None
    threshold: Real | None = None
    drifted: bool
    seasonal: bool = False
    note: str = ""


class SkillSeen(Stored):
    """The performance test as it stands: block differences from the reference, and what they bound."""

    blocks: int = 0
    rows: int = 0
    drop: Real | None = None
    lower: Real | None = None
    upper: Real | None = None
    tripped: bool = False
    through: AwareDatetime | None = None


class MonitorStatus(Stored):
    """What a monitor has seen.

    Attributes:
        revision: the stable revision that is watched, `since` when it became so.
        window_end: end of the last judged window.
        tripped: for each of the latest windows, whether it tripped; newest last, ≤ 20.
        worst: the columns that moved most in the latest window, ≤ 10.
        episodes: newest last, ≤ 20; at most one of a cause is open.
        hindrances: what keeps it from judging: `Performance`, why skill cannot be; `Ready`, what could not be reached.
    """

    revision: str | None = None
    since: AwareDatetime | None = None
    window_end: AwareDatetime | None = None
    rows: int = 0
    tripped: tuple[bool, ...] = ()
    worst: tuple[DriftedColumn, ...] = ()
    skill: SkillSeen = SkillSeen()
    episodes: tuple[Episode, ...] = ()
    hindrances: dict[str, str] = Field(default_factory=dict)

    def open_episode(self, cause: str) -> Episode | None:
        """The open episode of a cause, if any."""
        return next((e for e in reversed(self.episodes) if e.cause == cause and e.closed_at is None), None)

"""What a monitor is told: the plain form of a DriftMonitor's spec (the defaults are the same)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import comb

from trimtab.api.errors import InputRefused
from trimtab.drift.measures import CATEGORY, NUMBER
from trimtab.drift.windows import DAY_S
from trimtab.sketch import Kind


class MeasureUnknown(InputRefused):
    """A measure that is not in the table for that kind of column."""

    def __init__(self, name: str, known: Sequence[str], where: str) -> None:
        super().__init__(f"{where}: there is no measure '{name}'", remedy=f"use one of {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Override:
    """What holds for columns whose name matches a glob."""

    match: str
    measure: str | None = None
    threshold: float | None = None
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class Trip:
    """When drifted windows make an episode: `windows` of the last `of` tripped.

    Attributes:
        drifted_share: share of judged columns (related ones count once) at which a window trips, in (0, 1].
    """

    windows: int = 2
    of: int = 3
    drifted_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """How windows are judged.

    Attributes:
        number, category: the measure of a numeric (or timestamp) and of a categorical column.
        overrides: the first whose glob matches a column's name wins.
        min_rows: fewer rows in a window are no evidence.
        min_coverage: least share of requests that were logged; below it a window is no evidence.
        episodes, per_s: at most so many false episodes in that time.
    """

    number: str = "ks"
    category: str = "jensen_shannon"
    overrides: tuple[Override, ...] = ()
    trip: Trip = Trip()
    min_rows: int = 1_000
    min_coverage: float = 0.9
    episodes: int = 1
    per_s: int = 90 * DAY_S

    def __post_init__(self) -> None:
        if self.number not in NUMBER:
            raise MeasureUnknown(self.number, list(NUMBER), "measures.number")
        if self.category not in CATEGORY:
            raise MeasureUnknown(self.category, list(CATEGORY), "measures.category")
        for override in self.overrides:
            if override.measure and override.measure not in NUMBER | CATEGORY:
                raise MeasureUnknown(override.measure, [*NUMBER, *CATEGORY], f"override '{override.match}'")

    @property
    def measures(self) -> frozenset[str]:
        """Every measure that is used."""
        return frozenset(
            {self.number, self.category} | {one.measure for one in self.overrides if one.measure is not None}
        )

    def override(self, column: str) -> Override | None:
        """The override that holds for a column."""
        return next((one for one in self.overrides if fnmatchcase(column, one.match)), None)

    def measure(self, column: str, kind: Kind) -> str:
        """The name of a column's measure. Raises MeasureUnknown where an override names one of another kind."""
        known, chosen = (CATEGORY, self.category) if kind == "category" else (NUMBER, self.number)
        override = self.override(column)
        if override is None or override.measure is None:
            return chosen
        if override.measure not in known:
            raise MeasureUnknown(override.measure, list(known), f"column '{column}' ({kind})")
        return override.measure

    def p_window(self, window_s: int) -> float:
        """Probability with which one window may trip by chance, so that `trip` keeps the promised episodes.

        With k of n windows and W windows in the promised time, W · C(n, k) · pᵏ = episodes.
        """
        windows = max(1.0, self.per_s / window_s)
        k, n = self.trip.windows, self.trip.of
        return min(1.0, float((self.episodes / (windows * comb(n, k))) ** (1 / k)))

"""The verdict on one window of rows against a profile (verdicts.md 4).

A column has drifted when its value exceeds the threshold that the reference's own windows ask for and, where a
p-value can be given, Benjamini-Hochberg rejects it at the level that keeps the promised false episodes; or when
the share of its missing values moved beyond its own threshold. Seasonal columns are shown and not counted; related
ones count once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from trimtab.drift.base import Measured
from trimtab.drift.many import rejected
from trimtab.drift.measures import CATEGORY, NUMBER
from trimtab.drift.profile import Profile
from trimtab.drift.settings import Settings
from trimtab.drift.thresholds import MISSING, MISSING_FLOOR
from trimtab.drift.windows import length_name
from trimtab.sketch import Kind, NumberSketch, Pair, Sketch

LEVEL_OF_ONE: Final = 0.01  # of a table that is judged once, and not as one window of many
MISSING_SIGMAS: Final = 3.0
NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """How one column fared.

    Attributes:
        measure, value, error, p_value, effect, tail: see Measured; value None where undefined.
        threshold, because: the bound that held, and where it comes from.
        drifted: None where nothing can be said.
        seasonal: why it is shown and not counted, else None.
        group: columns of one group count once.
        missing, reference_missing: shares of missing rows.
        missing_threshold: how far the share may move: learned, and never under three standard errors.
        new: categories that the reference never held, heaviest first, at most ten.
        note: what a person should know besides.
    """

    column: str
    kind: Kind
    measure: str
    value: float | None
    threshold: float
    because: str
    drifted: bool | None
    seasonal: str | None
    group: int
    p_value: float | None = None
    effect: float | None = None
    error: float = 0.0
    tail: float | None = None
    missing: float = 0.0
    reference_missing: float = 0.0
    missing_threshold: float = MISSING_FLOOR
    new: tuple[str, ...] = ()
    note: str = ""

    @property
    def counted(self) -> bool:
        """Whether it takes part in the window's verdict."""
        return self.seasonal is None and self.drifted is not None

    @property
    def missing_moved(self) -> bool:
        """Whether the share of missing rows moved beyond its threshold."""
        return abs(self.missing - self.reference_missing) > self.missing_threshold

    @property
    def severity(self) -> float:
        """Value, or move of the missing share, over its threshold: above 1 is beyond it."""
        moved = abs(self.missing - self.reference_missing) / self.missing_threshold
        return max(
            moved, self.value / self.threshold if self.value is not None and self.threshold > 0 else 0.0
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a window says.

    Attributes:
        tripped: whether enough columns drifted; None where too little is known to say.
        because: one sentence.
        rows: rows in the window.
        columns: the worst first; those that count before those that do not.
        drifted, judged: columns that drifted and that were judged, related ones counted once.
        level: of Benjamini-Hochberg.
    """

    tripped: bool | None
    because: str
    rows: int
    columns: tuple[ColumnVerdict, ...]
    drifted: int
    judged: int
    level: float

    @property
    def drifted_share(self) -> float | None:
        """Drifted over judged columns; None where none was judged."""
        return self.drifted / self.judged if self.judged else None


def judge(
    profile: Profile,
    sketches: Mapping[str, Sketch],
    settings: Settings,
    window_s: int | None = None,
    coverage: float | None = 1.0,
    level: float | None = None,
) -> Verdict:
    """The verdict on one window.

    Args:
        sketches: by feature, the window's rows on the profile's grids; a feature that is not there is undefined.
        window_s: the window's length; None where there are no times: thresholds are then the measures' floors.
        coverage: complete events over requests; None where it is not known.
        level: of Benjamini-Hochberg; by default the one that keeps the promised episodes of such windows.

    Raises:
        GridsDiffer: a sketch was counted on another grid.
        MeasureUnknown: an override names a measure of another kind of column.
    """
    if level is None:
        level = LEVEL_OF_ONE if window_s is None else settings.p_window(window_s)
    rows = max((sketch.rows for sketch in sketches.values()), default=0)
    columns, chances = [], {}
    for name in profile.columns:
        override = settings.override(name)
        if override is not None and override.ignore:
            continue
        seen, chance = _column(profile, name, sketches.get(name), settings, window_s)
        columns.append(seen)
        if chance is not None and seen.counted:
            chances[name] = chance
    sure = rejected(chances, level)
    columns = [_unless_by_chance(one, sure) if one.column in chances else one for one in columns]
    columns.sort(key=lambda one: (not one.counted, not one.drifted, -one.severity, one.column))
    counted = [one for one in columns if one.counted]
    judged = len({one.group for one in counted})
    drifted = len({one.group for one in counted if one.drifted})
    verdict = Verdict(None, "", rows, tuple(columns), drifted, judged, level)
    if unknown := _unknown(verdict, settings, coverage):
        return replace(verdict, because=unknown)
    tripped = drifted > 0 and drifted >= settings.trip.drifted_share * judged
    names = ", ".join([one.column for one in counted if one.drifted][:5])
    return replace(
        verdict,
        tripped=tripped,
        because=f"{drifted} of {judged} columns drifted{': ' if names else ''}{names}",
    )


def _unknown(verdict: Verdict, settings: Settings, coverage: float | None) -> str:
    if coverage is None and settings.min_coverage > 0:
        return "how many requests were logged is not known; minCoverage: '0' judges all the same"
    if coverage is not None and coverage < settings.min_coverage:
        return f"{coverage:.0%} of the requests were logged, fewer than {settings.min_coverage:.0%}"
    if verdict.rows < settings.min_rows:
        return f"{verdict.rows} rows, fewer than {settings.min_rows}"
    return "" if verdict.judged else "no column could be judged"


def _column(
    profile: Profile, name: str, sketch: Sketch | None, settings: Settings, window_s: int | None
) -> tuple[ColumnVerdict, float | None]:
    held = profile.columns[name]
    measure = settings.measure(name, held.grid.kind)
    threshold, because, missing_threshold = _thresholds(profile, name, measure, settings, window_s)
    seasonal = profile.seasonal(name, window_s) if window_s is not None else None
    verdict = ColumnVerdict(
        name, held.grid.kind, measure, None, threshold, because, None, seasonal, held.group,
        reference_missing=_missing(held.sketch), missing_threshold=missing_threshold,
    )  # fmt: skip
    if sketch is None or not sketch.rows:
        return replace(verdict, note="no rows"), None
    table = CATEGORY if held.grid.kind == "category" else NUMBER
    effect = 1.0 if window_s is None else held.rows_per_unit(window_s)
    seen = table[measure].of(Pair.of(held.sketch, sketch, effect))
    verdict = replace(
        verdict,
        value=seen.value,
        p_value=None if window_s is None else seen.p_value,
        effect=seen.effect,
        error=seen.error,
        tail=seen.tail,
        missing=_missing(sketch),
        missing_threshold=max(
            missing_threshold, MISSING_SIGMAS * _missing_error(held.sketch, sketch, effect or 1.0)
        ),
        new=_new(held.sketch, sketch),
    )
    moved = verdict.missing_moved
    beyond = None if seen.value is None else seen.value > threshold
    return replace(verdict, drifted=True if moved else beyond, note=_note(verdict, seen)), seen.p_value


def _thresholds(
    profile: Profile, name: str, measure: str, settings: Settings, window_s: int | None
) -> tuple[float, str, float]:
    held = profile.columns[name]
    length = None if window_s is None else profile.learned_length(window_s)
    learned = held.thresholds.get(length, {}) if length is not None else {}
    missing = learned.get(MISSING, MISSING_FLOOR)
    override = settings.override(name)
    if override is not None and override.threshold is not None:
        return override.threshold, "stated", missing
    known = (CATEGORY if held.grid.kind == "category" else NUMBER)[measure]
    bound = learned.get(measure)
    if bound is None or length is None:
        return known.floor, f"floor: {known.because}", missing
    windows = f"{profile.windows.get(length, 0)} windows of {length_name(length)} in the reference"
    if bound <= known.floor:
        return known.floor, f"floor: {known.because}; {windows} ask for less", missing
    return bound, f"learned from {windows}", missing


def _unless_by_chance(verdict: ColumnVerdict, sure: frozenset[str]) -> ColumnVerdict:
    if verdict.drifted and not verdict.missing_moved and verdict.column not in sure:
        return replace(
            verdict, drifted=False, note="beyond its threshold, but so few rows may do that by chance"
        )
    return verdict


def _note(verdict: ColumnVerdict, seen: Measured) -> str:
    if verdict.missing_moved:
        return f"missing: {verdict.missing:.1%}, in the reference {verdict.reference_missing:.1%}"
    if seen.value is None:
        return seen.reason or ""
    if seen.value <= verdict.threshold < seen.value + seen.error:
        return f"the sketch resolves it to {seen.error:.3f} only"
    return ""


def _missing(sketch: Sketch) -> float:
    return sketch.missing / sketch.rows if sketch.rows else 0.0


def _missing_error(reference: Sketch, current: Sketch, rows_per_unit: float) -> float:
    n, m = reference.rows, current.rows
    share = (reference.missing + current.missing) / (n + m)
    return sqrt(share * (1 - share) * (1 / n + 1 / m) * rows_per_unit) if n else 0.0


def _new(reference: Sketch, current: Sketch) -> tuple[str, ...]:
    if isinstance(reference, NumberSketch) or isinstance(current, NumberSketch) or not reference.exact:
        return ()
    return tuple(value for value in current.counts if value not in reference.counts)[:NAMED]

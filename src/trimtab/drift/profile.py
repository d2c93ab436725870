"""A profile: what a model was trained on, as far as its monitor must know it.

One self-contained JSON document beside the model: the grid and the reference sketch of each feature, the
thresholds learned from the reference for each window length, and what collector and loop read of the data's
meaning (label rule, key, time zone).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from trimtab.api.errors import DataRefused
from trimtab.drift.windows import DAY_S, FEWEST_WINDOWS
from trimtab.sketch import Grid, GridsDiffer, Sketch, SketchUnreadable, empty, from_bytes

FORMAT: Final = "trimtab.dev/profile"
VERSION: Final = 1
SEASONAL_EFFECT: Final = 20.0
SEASONAL_AUTOCORRELATION: Final = 0.3


class ProfileUnreadable(DataRefused):
    """Bytes are not a profile that this version reads."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"these bytes are not a reference profile: {because}",
            remedy="make it again with `trimtab profile`, or by exporting the model again",
        )


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How the truth of a prediction becomes known.

    Attributes:
        column: the label's name.
        known_at: the column that says when it was known; None where nothing does.
        mature_after_s: seconds after the example's time at which a cohort is mature.
        missing: `exclude`, or the value that a missing label stands for.
    """

    column: str
    known_at: str | None = None
    mature_after_s: int = 0
    missing: str | float = "exclude"


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One feature of the reference.

    Attributes:
        sketch: its rows, on its grid.
        group: features of one number are related, and count once.
        thresholds: by window length in seconds, then by measure (`missing_share` among them).
        hour_effect, day_effect: rows that weigh as one (see trimtab.drift.dependence); None without times.
        day_autocorrelation: of daily means; None without times.
    """

    sketch: Sketch
    group: int
    thresholds: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    hour_effect: float | None = None
    day_effect: float | None = None
    day_autocorrelation: float | None = None

    @property
    def grid(self) -> Grid:
        return self.sketch.grid

    def rows_per_unit(self, window_s: int) -> float | None:
        """The design effect for windows of this length; None where no times were known."""
        return self.day_effect if window_s >= DAY_S else self.hour_effect


@dataclass(frozen=True)
class Profile:
    """The reference of a monitor.

    Attributes:
        columns: by feature, in the order of the model's inputs.
        rows: rows of the reference.
        start, end: first and last time, UTC; None without times.
        windows: how many windows of each length (seconds) were learned from.
        window_s: the default window length; None without times.
        label, key, time, time_zone: what the project says of its examples.
        reference_skills: mean skill of each held-out day, nats a row, oldest first.
        classes: names of the label's values, in the order of the model's outputs; empty for a number.
    """

    columns: Mapping[str, ColumnProfile]
    rows: int
    start: datetime | None = None
    end: datetime | None = None
    windows: Mapping[int, int] = field(default_factory=dict)
    window_s: int | None = None
    label: LabelRule | None = None
    key: tuple[str, ...] = ()
    time: str | None = None
    time_zone: str = "UTC"
    reference_skills: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def grids(self) -> dict[str, Grid]:
        """The grid of each feature."""
        return {name: column.grid for name, column in self.columns.items()}

    @property
    def sketches(self) -> dict[str, Sketch]:
        """The reference sketch of each feature."""
        return {name: column.sketch for name, column in self.columns.items()}

    def empty(self) -> dict[str, Sketch]:
        """A sketch of no rows for each feature."""
        return {name: empty(column.grid) for name, column in self.columns.items()}

    def learned_length(self, window_s: int) -> int | None:
        """The longest window length with learned thresholds that is no longer than this one."""
        return max((length for length in self.windows if length <= window_s), default=None)

    def seasonal(self, column: str, window_s: int) -> str | None:
        """Why a column's drift is shown but not counted; None where it is counted, or no times were known."""
        if self.start is None:
            return None
        length = self.learned_length(window_s)
        windows = 0 if length is None else self.windows[length]
        if windows < FEWEST_WINDOWS:
            return f"the reference holds {windows} such windows, fewer than {FEWEST_WINDOWS}"
        held = self.columns[column]
        effect, memory = held.day_effect or 1.0, held.day_autocorrelation or 0.0
        if effect > SEASONAL_EFFECT and memory > SEASONAL_AUTOCORRELATION:
            return f"{effect:.0f} rows of a day weigh as one, and a day resembles the next ({memory:.2f})"
        return None

    def to_bytes(self) -> bytes:
        """The document; `Profile.from_bytes` gives back an equal profile."""
        held = {
            "format": FORMAT,
            "version": VERSION,
            "rows": self.rows,
            "start": self.start and self.start.isoformat(),
            "end": self.end and self.end.isoformat(),
            "windows": {str(length): count for length, count in self.windows.items()},
            "window_s": self.window_s,
            "label": self.label and asdict(self.label),
            "key": list(self.key),
            "time": self.time,
            "time_zone": self.time_zone,
            "reference_skills": list(self.reference_skills),
            "classes": list(self.classes),
            "columns": {name: _written(column) for name, column in self.columns.items()},
        }
        return json.dumps(held, ensure_ascii=False, allow_nan=False, indent=1).encode(
            "utf-8", "surrogatepass"
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Profile":
        """The profile that `to_bytes` wrote.

        Raises:
            ProfileUnreadable: damaged, cut short, not a profile, or of another version.
        """
        try:
            held = json.loads(data.decode("utf-8", "surrogatepass"))
        except (UnicodeDecodeError, ValueError) as fault:
            raise ProfileUnreadable(f"they are not JSON ({fault})") from None
        if not isinstance(held, dict) or held.get("format") != FORMAT:
            raise ProfileUnreadable(f"`format` is not {FORMAT}")
        if held.get("version") != VERSION:
            raise ProfileUnreadable(f"they are of version {held.get('version')}, this reads {VERSION}")
        try:
            return _read(held)
        except KeyError as missing:
            raise ProfileUnreadable(f"{missing} is missing") from None
        except (SketchUnreadable, GridsDiffer) as fault:
            raise ProfileUnreadable(fault.message) from None
        except (TypeError, ValueError, AttributeError) as fault:
            raise ProfileUnreadable(str(fault)) from None


def _written(column: ColumnProfile) -> dict[str, Any]:
    return {
        "grid": column.grid.to_json(),
        "sketch": base64.b64encode(column.sketch.to_bytes()).decode(),
        "group": column.group,
        "thresholds": {str(length): dict(held) for length, held in column.thresholds.items()},
        "hour_effect": column.hour_effect,
        "day_effect": column.day_effect,
        "day_autocorrelation": column.day_autocorrelation,
    }


def _read(held: Mapping[str, Any]) -> Profile:
    return Profile(
        columns={str(name): _read_column(column) for name, column in held["columns"].items()},
        rows=int(held["rows"]),
        start=held["start"] and datetime.fromisoformat(held["start"]),
        end=held["end"] and datetime.fromisoformat(held["end"]),
        windows={int(length): int(count) for length, count in held["windows"].items()},
        window_s=held["window_s"],
        label=held["label"] and LabelRule(**held["label"]),
        key=tuple(held["key"]),
        time=held["time"],
        time_zone=held["time_zone"],
        reference_skills=tuple(map(float, held["reference_skills"])),
        classes=tuple(held["classes"]),
    )


def _read_column(held: Mapping[str, Any]) -> ColumnProfile:
    grid = Grid.from_json(held["grid"])
    return ColumnProfile(
        sketch=from_bytes(base64.b64decode(held["sketch"], validate=True), grid),
        group=int(held["group"]),
        thresholds={
            int(length): {str(name): float(value) for name, value in by.items()}
            for length, by in held["thresholds"].items()
        },
        hour_effect=held["hour_effect"],
        day_effect=held["day_effect"],
        day_autocorrelation=held["day_autocorrelation"],
    )

"""Has a column moved, has the window, is it an episode: measures, thresholds learned from the reference, verdicts.

`compare(reference, current)` answers for two tables; `learn_profile`, `judge` and `Episode` answer window by
window for a model in service. Nothing here reads a file or a clock, and importing it loads only NumPy and
scipy.special.
"""

from trimtab.drift.base import Measure, Measured
from trimtab.drift.columns import Table, TableUnreadable, as_table
from trimtab.drift.compare import (
    ColumnMissing,
    ColumnNotText,
    ColumnNotTime,
    NothingToCompare,
    compare,
    time_column,
)
from trimtab.drift.episode import Watch, WindowsOverlap
from trimtab.drift.learning import ReferenceUnusable, learn_profile
from trimtab.drift.measures import CATEGORY, NUMBER
from trimtab.drift.profile import ColumnProfile, LabelRule, Profile, ProfileUnreadable
from trimtab.drift.report import Report, SeenWindow
from trimtab.drift.settings import MeasureUnknown, Override, Settings, Trip
from trimtab.drift.verdict import ColumnVerdict, Verdict, judge

__all__ = [
    "CATEGORY",
    "NUMBER",
    "ColumnMissing",
    "ColumnNotText",
    "ColumnNotTime",
    "ColumnProfile",
    "ColumnVerdict",
    "LabelRule",
    "Measure",
    "MeasureUnknown",
    "Measured",
    "NothingToCompare",
    "Override",
    "Profile",
    "ProfileUnreadable",
    "ReferenceUnusable",
    "Report",
    "SeenWindow",
    "Settings",
    "Table",
    "TableUnreadable",
    "Trip",
    "Verdict",
    "Watch",
    "WindowsOverlap",
    "as_table",
    "compare",
    "judge",
    "learn_profile",
    "time_column",
]

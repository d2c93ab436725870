"""Has a column moved, has the window, is it an episode: measures, thresholds learned from the reference, verdicts.

`compare(reference, current)` answers for two tables; `learn_profile`, `judge` and `Watch` answer window by
window for a model in service. Nothing here reads a file or a clock. Names load on first use (PEP 562): a
`Profile` needs NumPy alone, a measure scipy.special besides.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trimtab.drift.base import Measure, Measured
    from trimtab.drift.columns import Table, TableUnreadable, as_table
    from trimtab.drift.comparison import (
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
    from trimtab.drift.permutation import permuted_p_value
    from trimtab.drift.profile import ColumnProfile, LabelRule, Profile, ProfileUnreadable
    from trimtab.drift.report import Report, SeenWindow
    from trimtab.drift.settings import MeasureUnknown, Override, Settings, Trip
    from trimtab.drift.verdict import ColumnVerdict, Verdict, judge

_HOME: Final = {
    "base": ("Measure", "Measured"),
    "columns": ("Table", "TableUnreadable", "as_table"),
    "comparison": (
        "ColumnMissing",
        "ColumnNotText",
        "ColumnNotTime",
        "NothingToCompare",
        "compare",
        "time_column",
    ),
    "episode": ("Watch", "WindowsOverlap"),
    "learning": ("ReferenceUnusable", "learn_profile"),
    "measures": ("CATEGORY", "NUMBER"),
    "permutation": ("permuted_p_value",),
    "profile": ("ColumnProfile", "LabelRule", "Profile", "ProfileUnreadable"),
    "report": ("Report", "SeenWindow"),
    "settings": ("MeasureUnknown", "Override", "Settings", "Trip"),
    "verdict": ("ColumnVerdict", "Verdict", "judge"),
}
_MODULE: Final = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


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
    "permuted_p_value",
    "time_column",
]

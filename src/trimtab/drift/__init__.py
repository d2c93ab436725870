"""Has a column moved, has the window, is it an episode: measures, thresholds learned from the reference, verdicts.

`compare(reference, current)` answers for two tables; `learn_profile`, `judge` and `Episode` answer window by
window for a model in service. Nothing here reads a file or a clock, and importing it loads only NumPy and
scipy.special.
"""

from trimtab.drift.base import Measure, Measured
from trimtab.drift.learning import ReferenceUnusable, learn_profile
from trimtab.drift.measures import CATEGORY, NUMBER
from trimtab.drift.profile import ColumnProfile, LabelRule, Profile, ProfileUnreadable
from trimtab.drift.settings import MeasureUnknown, Override, Settings, Trip

__all__ = [
    "CATEGORY",
    "NUMBER",
    "ColumnProfile",
    "LabelRule",
    "Measure",
    "MeasureUnknown",
    "Measured",
    "Override",
    "Profile",
    "ProfileUnreadable",
    "ReferenceUnusable",
    "Settings",
    "Trip",
    "learn_profile",
]

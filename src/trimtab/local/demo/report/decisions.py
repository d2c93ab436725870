"""All decisions of the year, in order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from trimtab.local.demo.report.alarms import alarms
from trimtab.local.demo.report.chapters import Chapter
from trimtab.local.demo.report.rollouts import rollouts
from trimtab.local.demo.report.runs import runs
from trimtab.local.demo.report.told import Told

ORDER: Final = ("alarm", "run", "verdict")
"""Which of two at one time comes first."""


def decisions(told: Told) -> Sequence[Chapter]:
    """Alarms, runs and rollouts, numbered from 1."""
    found = [*alarms(told), *runs(told), *rollouts(told)]
    found.sort(key=lambda chapter: (chapter.at, ORDER.index(chapter.lane)))
    return [replace(chapter, number=place) for place, chapter in enumerate(found, 1)]

"""One decision of the loop, as a card of the page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trimtab.local.demo.report.bounds_chart import Chart
from trimtab.local.demo.report.worth import Gains


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check's last word, written out."""

    name: str
    metric: str
    verdict: str
    estimate: str
    interval: str
    margin: str
    unit: str
    units: str
    rows: str
    alpha: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A decision with its evidence.

    Attributes:
        lane: where the timeline marks it: alarm, run or verdict.
        tone: drifted, stable, seasonal or unknown, as the style sheet colours a badge.
        badge: the outcome in a word or two.
        because: the loop's own sentence.
        steps: (date, what happened) on the way.
        facts: (label, value).
        note: what a reader must know to read it right; "" if nothing.
        gains: what a promotion was worth afterwards.
        number: its place in the year, set by `numbered`.
    """

    at: datetime
    date: str
    lane: str
    tone: str
    title: str
    badge: str
    because: str
    colour: str = "var(--faint)"
    steps: Sequence[tuple[str, str]] = ()
    facts: Sequence[tuple[str, str]] = ()
    charts: Sequence[Chart] = ()
    checks: Sequence[CheckRow] = ()
    note: str = ""
    gains: Gains | None = None
    number: int = field(default=0, compare=False)

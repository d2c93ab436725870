"""What a comparison found, for a person (HTML), a machine (JSON) and an exit status."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from trimtab.drift.profile import Profile
from trimtab.drift.settings import Settings
from trimtab.drift.verdict import ColumnVerdict, Verdict
from trimtab.sketch import Sketch

Answer = Literal["stable", "drifted", "unknown"]


@dataclass(frozen=True, slots=True)
class SeenWindow:
    """One window of the current table.

    Attributes:
        whole: False for the last one where its rows end early: it is shown and not counted.
        episode: whether an episode is open at its end.
    """

    start: datetime
    end: datetime
    verdict: Verdict
    whole: bool
    episode: bool


@dataclass(frozen=True)
class Report:
    """The comparison of a current table with a reference.

    Attributes:
        verdict: on the current table as one window.
        sketches: of the current table, by column.
        start, end: first and last time of the current rows; None without times.
        window_s, windows: length and verdicts of its windows; None and empty without times.
        notes: columns that were not compared, with the reason.
    """

    profile: Profile
    verdict: Verdict
    sketches: Mapping[str, Sketch]
    settings: Settings
    window_s: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    windows: tuple[SeenWindow, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def answer(self) -> Answer:
        """`drifted` where an episode opened or the whole tripped; `unknown` where too little can be said."""
        if self.verdict.tripped or any(window.episode for window in self.windows):
            return "drifted"
        return "unknown" if self.verdict.tripped is None else "stable"

    @property
    def drifted(self) -> bool:
        return self.answer == "drifted"

    @property
    def drifted_columns(self) -> tuple[ColumnVerdict, ...]:
        """Counted columns that drifted, the worst first."""
        return tuple(one for one in self.verdict.columns if one.counted and one.drifted)

    @property
    def because(self) -> str:
        """One sentence for the answer."""
        opened = next((window for window in self.windows if window.episode), None)
        if opened is None:
            return self.verdict.because
        trip = self.settings.trip
        return f"{trip.windows} of {trip.of} windows tripped by {opened.end:%Y-%m-%d %H:%M}; {self.verdict.because}"

    def to_json(self) -> str:
        """The findings as JSON: answer, verdict, every column, every window. No distributions."""
        held: dict[str, Any] = {
            "answer": self.answer,
            "because": self.because,
            "reference_rows": self.profile.rows,
            "rows": self.verdict.rows,
            "drifted": self.verdict.drifted,
            "judged": self.verdict.judged,
            "drifted_share": self.verdict.drifted_share,
            "columns": [asdict(column) for column in self.verdict.columns],
            "window_s": self.window_s,
            "windows": [
                {
                    "start": window.start.isoformat(),
                    "end": window.end.isoformat(),
                    "rows": window.verdict.rows,
                    "whole": window.whole,
                    "tripped": window.verdict.tripped,
                    "episode": window.episode,
                    "because": window.verdict.because,
                    "columns": {
                        column.column: {
                            "value": column.value,
                            "threshold": column.threshold,
                            "drifted": column.drifted,
                        }
                        for column in window.verdict.columns
                    },
                }
                for window in self.windows
            ],
            "not_compared": dict(self.notes),
        }
        return json.dumps(held, ensure_ascii=False, indent=1)

    def to_html(self) -> str:
        """One self-contained page: no network, light and dark."""
        from trimtab.drift.page import page

        return page(self)

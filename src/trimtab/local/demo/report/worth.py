"""What a promotion was worth: predecessor and successor scored on the same flights, after the year."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any, Final

from trimtab.local.demo.report import words
from trimtab.local.demo.report.axes import Tick, around
from trimtab.local.demo.report.told import Told

WIDTH: Final = 640
HEIGHT: Final = 190
LEFT, RIGHT, TOP, BOTTOM = 56, 630, 12, 162
ERRORS: Final = 2
"""Standard errors to either side of a mean."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One month's mean difference, newer minus older, with its reach; y grows downwards."""

    x: float
    y: float
    top: float
    bottom: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Gains:
    """The drawing of all months."""

    title: str
    caption: str
    sentence: str
    months: Sequence[Tick]
    values: Sequence[Tick]
    zero: float
    gains: Sequence[Gain]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def gains(told: Told, name: str) -> Gains | None:
    """How the version that was promoted as `name` fared against the one before it; None where that is not known."""
    rows = [one for one in told.story["result"]["afterwards"]["gains"] if one["newer"] == name]
    if not rows:
        return None
    older = rows[0]["older"]
    edges = [edge for one in rows for edge in reach(one)]
    values = around([*edges, 0.0], TOP, BOTTOM)
    step = (RIGHT - LEFT) / len(rows)
    drawn = []
    for place, one in enumerate(rows):
        low, high = reach(one)
        drawn.append(
            Gain(
                LEFT + (place + 0.5) * step,
                values.y(one["difference"]),
                values.y(high),
                values.y(low),
                tone(one),
                f"{month(one)}: {words.signed(one['difference'])}, {words.signed(low)} to {words.signed(high)}, "
                f"{one['rows']:,} flights",
            )
        )
    return Gains(
        f"What it was worth: log loss on the same flights, {name} minus {older}",
        f"nats a flight by month, ± {ERRORS} standard errors over local days; scored after the year, "
        "used by no decision",
        f"On the same flights {name} was {sentence(rows, older)}.",
        [Tick(one.x, month(row)[:3]) for one, row in zip(drawn, rows, strict=True)],
        [Tick(values.y(mark), words.signed(mark)) for mark in values.marks()],
        values.y(0.0),
        drawn,
    )


def reach(one: Mapping[str, Any]) -> tuple[float, float]:
    """Two standard errors to either side; the mean itself where there is no error."""
    error = one["standard_error"]
    error = error if error is not None and isfinite(error) else 0.0
    return one["difference"] - ERRORS * error, one["difference"] + ERRORS * error


def tone(one: Mapping[str, Any]) -> str:
    low, high = reach(one)
    return "stable" if high < 0 else "drifted" if low > 0 else "unknown"


def sentence(rows: Sequence[Mapping[str, Any]], older: str) -> str:
    """In which months it was better, worse, or neither."""
    kinds = {
        "stable": f"better than {older}",
        "unknown": f"not to be told from {older}",
        "drifted": f"worse than {older}",
    }
    parts = [
        f"{text} in {spans(months)}"
        for kind, text in kinds.items()
        if (months := [one["month"] for one in rows if tone(one) == kind])
    ]
    return ", ".join(parts)


def spans(months: Sequence[str]) -> str:
    """Months of one year in a sentence, three and more in a row as a span.

    >>> spans(["2013-06", "2013-07"]), spans(["2013-04", "2013-08", "2013-09", "2013-10"])
    ('June and July', 'April and August to October')
    """
    runs: list[list[date]] = []
    for at in (date.fromisoformat(f"{month}-01") for month in months):
        if runs and at.month == runs[-1][-1].month + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    told = [
        name
        for run in runs
        for name in ([f"{run[0]:%B} to {run[-1]:%B}"] if len(run) > 2 else [f"{one:%B}" for one in run])
    ]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def month(one: Mapping[str, Any]) -> str:
    return f"{date.fromisoformat(one['month'] + '-01'):%B}"


def same_flights(told: Told) -> dict[str, Any]:
    """Log loss by month (rows) and version (columns) on the same flights; the least of a month is marked."""
    rows = told.story["result"]["afterwards"]["monthly"]
    names = list(dict.fromkeys(one["name"] for one in rows))
    months = sorted({one["month"] for one in rows})
    return {"names": names, "rows": [list(_cells(rows, at, names)) for at in months]}


def _cells(rows: Sequence[Mapping[str, Any]], at: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    here = {one["name"]: one for one in rows if one["month"] == at}
    least = min(one["log_loss"] for one in here.values())
    flights = max(one["rows"] for one in here.values())
    yield {"text": month({"month": at}), "least": False, "small": f"{flights:,} flights"}
    for name in names:
        one = here.get(name)
        yield {
            "text": words.plain(one["log_loss"], 4) if one else words.NONE,
            "least": one is not None and len(here) > 1 and one["log_loss"] == least,
            "small": f"± {one['standard_error']:.4f}" if one and _known(one["standard_error"]) else "",
        }


def _known(error: float | None) -> bool:
    return error is not None and isfinite(error)

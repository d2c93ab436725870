"""The report as one self-contained HTML page: what the template shows, and nothing that it must compute."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np

from trimtab.drift import figures
from trimtab.drift.report import Report
from trimtab.drift.shapes import LEVELS, Histogram, histogram, quantiles, shares
from trimtab.drift.verdict import ColumnVerdict
from trimtab.drift.windows import length_name
from trimtab.sketch import CategorySketch, NumberSketch, Sketch

WIDTH: Final = 640
HEIGHT: Final = 150
OPEN: Final = 4  # columns whose details stand open
TITLES: Final = {"stable": "Stable", "drifted": "Drifted", "unknown": "Too little to say"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One histogram as paths, with the labels of its axis."""

    reference: str
    current: str
    ticks: tuple[tuple[float, str], ...]


def style() -> str:
    """The style sheet that all of trimtab's pages share."""
    return files("trimtab.drift").joinpath("templates/page.css").read_text("utf-8")


def page(report: Report) -> str:
    """The whole page; loads nothing from anywhere."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trimtab.drift", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": figures.number, "percent": figures.percent, "chance": figures.chance}
    columns = [_column(report, one, place) for place, one in enumerate(report.verdict.columns)]
    return environment.get_template("drift.html.j2").render(
        style=style(),
        title=TITLES[report.answer],
        answer=report.answer,
        because=report.because,
        report=report,
        verdict=report.verdict,
        columns=columns,
        strip=_strip(report),
        notes=sorted(report.notes.items()),
        width=WIDTH,
        height=HEIGHT,
    )


def _column(report: Report, verdict: ColumnVerdict, place: int) -> dict[str, Any]:
    before = report.profile.columns[verdict.column].sketch
    now = report.sketches.get(verdict.column)
    return {
        "verdict": verdict,
        "state": state(verdict),
        "label": LABELS[state(verdict)],
        "bar": min(1.0, verdict.severity / 2) * 100 if verdict.drifted is not None else 0,
        "open": place < OPEN and (verdict.drifted or place == 0),
        "numbers": _numbers(before, now, verdict),
        "categories": _categories(before, now),
        "distinct": before.distinct if isinstance(before, CategorySketch) else None,
    }


LABELS: Final = {
    "drifted": "drifted",
    "stable": "stable",
    "seasonal": "seasonal",
    "seasonal-moved": "seasonal",
    "unknown": "undefined",
}


def state(verdict: ColumnVerdict) -> str:
    """In a word, how a column fared."""
    if verdict.drifted is None:
        return "unknown"
    if verdict.seasonal:
        return "seasonal-moved" if verdict.drifted else "seasonal"
    return "drifted" if verdict.drifted else "stable"


def _numbers(before: Sketch, now: Sketch | None, verdict: ColumnVerdict) -> dict[str, Any] | None:
    if not isinstance(before, NumberSketch) or not isinstance(now, NumberSketch):
        return None
    shape = histogram(before, now)
    if shape is None:
        return None
    rows = [
        (f"P{level * 100:g}", figures.measured(old, verdict.kind), figures.measured(new, verdict.kind))
        for level, old, new in zip(LEVELS, quantiles(before, LEVELS), quantiles(now, LEVELS), strict=True)
    ]
    infinite = [(sketch.minus_inf + sketch.plus_inf) / max(1, sketch.rows) for sketch in (before, now)]
    return {
        "drawn": _drawn(shape, verdict),
        "quantiles": rows,
        "infinite": infinite if any(infinite) else None,
    }


def _drawn(shape: Histogram, verdict: ColumnVerdict) -> Drawn:
    top = float(max(shape.reference.max(), shape.current.max())) * 1.06
    width = shape.high - shape.low
    marks = (
        np.linspace(shape.low, shape.high, 5)[1:-1]
        if verdict.kind == "timestamp"
        else figures.round_marks(shape.low, shape.high)
    )
    ticks = tuple(
        (float((at - shape.low) / width * WIDTH), figures.measured(float(at), verdict.kind)) for at in marks
    )
    return Drawn(
        figures.steps(shape.reference, WIDTH, HEIGHT, top, closed=True),
        figures.steps(shape.current, WIDTH, HEIGHT, top, closed=False),
        ticks,
    )


def _categories(before: Sketch, now: Sketch | None) -> dict[str, Any] | None:
    if not isinstance(before, CategorySketch) or not isinstance(now, CategorySketch):
        return None
    kept, rest = shares(before, now)
    top = max((max(one.reference, one.current) for one in kept), default=1.0) or 1.0
    return {"shares": kept, "rest": rest, "top": top}


def _strip(report: Report) -> dict[str, Any] | None:
    if not report.windows or report.window_s is None:
        return None
    order = [one.column for one in report.verdict.columns]
    by_window = [{one.column: one for one in window.verdict.columns} for window in report.windows]
    rows = [
        {
            "column": name,
            "cells": [_cell(window[name]) for window in by_window],
            "seasonal": report.verdict.columns[place].seasonal,
        }
        for place, name in enumerate(order)
    ]
    return {"length": length_name(report.window_s), "rows": rows, "windows": report.windows}


def _cell(verdict: ColumnVerdict) -> dict[str, Any]:
    level = 0 if verdict.drifted is None else min(4, int(verdict.severity * 2) + 1)
    return {
        "level": level,
        "state": state(verdict),
        "text": f"{figures.number(verdict.value)} / {figures.number(verdict.threshold)}",
    }

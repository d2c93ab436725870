"""The evaluation as one self-contained HTML page."""

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trimtab.api.project import Project
from trimtab.drift import figures
from trimtab.drift.page import style
from trimtab.quality.bootstrap import Interval
from trimtab.quality.importance import Importance
from trimtab.steps.attributions import Attribution
from trimtab.steps.fitting.fitted import FittedModel

if TYPE_CHECKING:
    from trimtab.steps.cheaper import Cheaper
    from trimtab.steps.evaluate import Evaluated

NONE: Final = "–"
MINUS: Final = "\N{MINUS SIGN}"
MOST_FEATURES: Final = 20
METHODS: Final = (
    "block bootstrap by day with expanded percentiles (Hesterberg 2015); paired differences by day; slices as in "
    "SliceFinder (Chung et al. 2019) and SliceLine (Sagadeeva & Boehm 2021), with sign flips by day and the largest "
    "statistic (Westfall & Young 1993); permutation importance (Breiman 2001); Shapley values by sampling (Štrumbelj & "
    "Kononenko 2014; Lundberg & Lee 2017); equal opportunity and odds (Hardt et "
    "al. 2016); behaviour tests (Ribeiro et al. 2020); calibration in bins of equal rows, of several classes that "
    "of the likeliest (Guo et al. 2017)."
)


def render(project: Project, model: FittedModel, found: "Evaluated") -> str:
    """The page; it loads nothing from anywhere."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trimtab.steps", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "figure": figure,
        "signed": signed,
        "between": between,
        "span": span,
        "share": lambda value: f"{100 * value:.1f} %" if isfinite(value) else NONE,
        "chance": figures.chance,
        "capitalised": lambda text: text[:1].upper() + text[1:],
    }
    verdict = "Forced past its gates" if found.forced else "Passed" if found.passed else "Refused"
    return environment.get_template("evaluation.html.j2").render(
        style=style() + files(__package__).joinpath("templates/evaluation.css").read_text("utf-8"),
        project=project,
        model=model,
        found=found,
        verdict=verdict,
        reasons=found.because.split("; "),
        headline=list(found.metrics)[:2],
        importances=_bars(found.importances),
        swarms=_swarms(found.attributions),
        forms=_forms(found.cheaper) if found.cheaper is not None else (),
        methods=METHODS,
    )


def figure(value: float) -> str:
    """A number to four places after the point where it is small, to five digits where it is large.

    >>> figure(0.71236), figure(1234567.0), figure(float("nan")), figure(-0.5)
    ('0.7124', '1.2346e+06', '–', '−0.5000')
    """
    if not isfinite(value):
        return NONE
    return (
        (f"{value:.4f}" if abs(value) < 1000 else f"{value:.5g}")
        .replace("-0.0000", "0.0000")
        .replace("-", MINUS)
    )


def signed(value: float, digits: int = 4) -> str:
    """A difference with its sign.

    >>> signed(-0.01), signed(0.25), signed(0.0)
    ('−0.0100', '+0.2500', '0.0000')
    """
    if not isfinite(value):
        return NONE
    if round(value, digits) == 0:
        return f"{0:.{digits}f}"
    return (f"{value:+.{digits}f}" if abs(value) < 1000 else f"{value:+.5g}").replace("-", MINUS)


def between(interval: Interval) -> str:
    """An interval, or that there is none."""
    return (
        f"{figure(interval.lower)} to {figure(interval.upper)}" if interval.known else "too few days to say"
    )


def span(bounds: tuple[float, float]) -> str:
    """Bounds of a difference."""
    return f"{signed(bounds[0])} to {signed(bounds[1])}" if isfinite(bounds[0]) else NONE


def _bars(importances: Sequence[Importance]) -> list[dict[str, Any]]:
    """Bars in percent of the widest, with one standard error to each side."""
    widest = max((one.mean + _known(one.standard_error) for one in importances), default=0.0)
    scale = 100 / widest if widest > 0 else 0.0
    bars = []
    for one in importances:
        low = max(0.0, (one.mean - _known(one.standard_error)) * scale)
        high = max(0.0, (one.mean + _known(one.standard_error)) * scale)
        bars.append(
            {
                "feature": one.feature,
                "mean": one.mean,
                "width": f"{max(0.0, one.mean * scale):.2f}",
                "low": f"{low:.2f}" if isfinite(one.standard_error) else None,
                "reach": f"{high - low:.2f}",
            }
        )
    return bars


def _swarms(attributions: Sequence[Attribution]) -> list[dict[str, Any]]:
    """A dot a row: across by how far the feature moved its answer, in a unit of 100 for the farthest of all features;
    where dots would lie on one another they are stacked, away from the middle and back."""
    farthest = max((float(np.abs(one.values).max(initial=0)) for one in attributions), default=0.0) or 1.0
    swarms = []
    for one in attributions[:MOST_FEATURES]:
        stacked: Counter[int] = Counter()
        dots = []
        for value, place in zip(one.values / farthest * 100, one.places, strict=True):
            column = round(value)
            stacked[column] += 1
            high = stacked[column] // 2 * (1 if stacked[column] % 2 else -1)
            colour = f"{100 * place:.0f}" if isfinite(place) else None
            dots.append({"x": f"{value:.1f}", "y": max(-4, min(4, high)), "place": colour})
        swarms.append({"feature": one.feature, "mean": one.mean, "dots": dots})
    return swarms


def _known(error: float) -> float:
    return error if isfinite(error) else 0.0


def _forms(cheaper: "Cheaper") -> list[tuple[str, str, tuple[str, str]]]:
    """Rows of the table that puts both forms side by side."""
    before, after = cheaper.before, cheaper.after
    if before is None or after is None:
        return []
    figures_of = [
        ("Size", before.size_bytes / 1024, after.size_bytes / 1024, "KiB", 1),
        ("One row", before.one_us, after.one_us, "µs", 0),
        ("A row of many", before.many_us, after.many_us, "µs", 2),
    ]
    told = [
        (name, f"{was:,.{digits}f} {unit}", (f"{now:,.{digits}f} {unit}", f"× {now / was:.2f}"))
        for name, was, now, unit, digits in figures_of
    ]
    return told + [
        (name, figure(value), (figure(after.metrics[name]), signed(after.metrics[name] - value)))
        for name, value in before.metrics.items()
    ]

"""Numbers as a person reads them, and the paths of a page's drawings."""

from datetime import UTC, datetime
from math import ceil, floor, log10

from trimtab.sketch import Kind
from trimtab.sketch.pair import Floats


def number(value: float | None, digits: int = 3) -> str:
    """A number in few characters.

    >>> number(0.04567), number(1234567.0), number(None), number(1e-9), number(12.0)
    ('0.046', '1,234,567', '–', '1e-09', '12')
    """
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 10**-digits:
        return f"{value:.0e}" if size < 1 else f"{value:.3g}"
    if size >= 1_000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}".removesuffix(".0")
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def measured(value: float, kind: Kind) -> str:
    """A column's value: a timestamp as a date, a number as such."""
    if kind != "timestamp":
        return number(value)
    try:
        return datetime.fromtimestamp(value / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return number(value)


def percent(share: float | None) -> str:
    """A share.

    >>> percent(0.1234), percent(0.0), percent(0.00001), percent(1.0), percent(None)
    ('12.3 %', '0 %', '< 0.01 %', '100 %', '–')
    """
    if share is None:
        return "–"
    if 0 < share < 0.0001:
        return "< 0.01 %"
    digits = 2 if 0 < share < 0.01 else 1
    text = f"{share * 100:.{digits}f}"
    return text.rstrip("0").rstrip(".") + " %"


def chance(p_value: float | None) -> str:
    """A p-value.

    >>> chance(0.04), chance(1e-12), chance(None)
    ('0.04', '< 0.0001', '–')
    """
    if p_value is None:
        return "–"
    return "< 0.0001" if p_value < 1e-4 else number(p_value, 4)


def round_marks(low: float, high: float) -> list[float]:
    """Four to nine round numbers within a range, for an axis.

    >>> round_marks(2.5, 296.9), round_marks(0, 1)
    ([50.0, 100.0, 150.0, 200.0, 250.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    """
    size = 10.0 ** floor(log10((high - low) / 4))
    step = next(size * part for part in (5, 2, 1) if (high - low) / (size * part) >= 4)
    return [round(place * step, 12) for place in range(ceil(low / step), floor(high / step) + 1)]


def steps(shares: Floats, width: float, height: float, top: float, closed: bool) -> str:
    """The SVG path of a histogram as steps; `closed` down to the base line, for a filled one."""
    bar = width / len(shares)
    points = []
    for place, share in enumerate(shares):
        y = height - float(share) / top * height if top > 0 else height
        points += [f"{place * bar:.1f} {y:.1f}", f"{(place + 1) * bar:.1f} {y:.1f}"]
    path = "M" + " L".join(points)
    return f"M0 {height} L" + path[1:] + f" L{width} {height} Z" if closed else path

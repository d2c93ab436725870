"""Dates and quantities as the page writes them: local dates, true minus signs, units."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = "–"
COUNTS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


def day(at: datetime, zone: ZoneInfo) -> str:
    """The local date.

    >>> day(datetime.fromisoformat("2013-06-16T03:00:00+00:00"), ZoneInfo("America/New_York"))
    '15 June'
    """
    local = at.astimezone(zone)
    return f"{local.day} {local:%B}"


def short_day(at: datetime, zone: ZoneInfo) -> str:
    """The local date, for an axis or a table."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """Local date and time."""
    return f"{short_day(at, zone)}, {at.astimezone(zone):%H:%M}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign.

    >>> signed(-0.0341), signed(0.02), signed(-0.0001), signed(None)
    ('−0.034', '+0.020', '0.000', '–')
    """
    if value is None:
        return NONE
    if round(value, digits) == 0:
        return f"{0:.{digits}f}"
    return f"{value:+.{digits}f}".replace("-", MINUS)


def plain(value: float | None, digits: int = 3) -> str:
    """A number without a plus.

    >>> plain(-0.5, 2), plain(0.712)
    ('−0.50', '0.712')
    """
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def difference(metric: str, value: float | None) -> str:
    """Candidate minus stable in the metric's own unit, without the unit.

    >>> difference("log_loss", -0.034), difference("error_rate", 0.02), difference("latency_p95", 0.5)
    ('−0.034', '+2.00', '+50')
    """
    if value is None:
        return NONE
    if metric == "error_rate":
        return signed(100 * value, 2)
    if metric.startswith("latency"):
        return signed(100 * value, 0)
    return signed(value)


def unit(metric: str) -> str:
    """The unit of a metric's differences."""
    if metric == "error_rate":
        return "percentage points"
    if metric.startswith("latency"):
        return "%"
    return "nats a flight" if metric in ("log_loss", "skill") else ""


def interval(metric: str, lower: float | None, upper: float | None) -> str:
    """Bounds; an absent one is infinite.

    >>> interval("log_loss", None, 0.01)
    '−∞ to +0.010'
    """
    low = f"{MINUS}∞" if lower is None else difference(metric, lower)
    high = "∞" if upper is None else difference(metric, upper)
    return f"{low} to {high}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number in words up to twelve, with its noun.

    >>> counted(2, "revision"), counted(1, "alarm"), counted(0, "request"), counted(13, "run")
    ('two revisions', 'one alarm', 'no requests', '13 runs')
    """
    word = COUNTS[number] if number < len(COUNTS) else f"{number:,}"
    return f"{word} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """With one full stop at its end, and a capital letter at its start unless that is a name in code.

    >>> sentence("shadow is passed."), sentence("roc_auc is 0.66")
    ('Shadow is passed.', 'roc_auc is 0.66.')
    """
    text = text.strip().rstrip(".")
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    return (text if "_" in first else text[0].upper() + text[1:]) + "."

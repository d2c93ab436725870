"""Shares of requests, wished and measured: asserted, and told at a run's end."""

import math
from collections.abc import Callable, Iterator
from typing import Final

import pytest

PROPERTY: Final = "shares"
Note = Callable[[str, object], None]


def assert_share(note: Note, what: str, count: int, of: int, percent: int) -> None:
    """Within five standard deviations of a fair draw: a wrong run in two million."""
    share = percent / 100
    note(PROPERTY, f"{what} | {percent} % | {100 * count / max(1, of):.2f} % | {count} of {of}")
    deviation = math.sqrt(of * share * (1 - share))
    assert of > 0
    assert abs(count - of * share) <= 5 * deviation + 1


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if told := list(_rows(terminalreporter)):
        terminalreporter.section("shares: what | wished | measured | requests")
        for row in told:
            terminalreporter.write_line(row)


def _rows(terminalreporter: "pytest.TerminalReporter") -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                yield from (str(row) for name, row in report.user_properties if name == PROPERTY)

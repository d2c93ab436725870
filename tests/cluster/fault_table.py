"""The table of faults: what was done to the operator, what held, in how many cases; printed at a run's end.

A test says its row by the fixture `fault`, before it begins; how it ends says whether it held. The rows travel in the
tests' reports, so they come from every worker.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

PROPERTY: Final = "fault table"
CASES: Final = "fault cases"


class Row:
    """A row that is being made."""

    def __init__(self, note: Callable[[str, object], None]) -> None:
        self._note = note

    def says(self, fault: str, must_hold: str) -> None:
        self._note(PROPERTY, f"{fault} | {must_hold}")

    def cases(self, number: int) -> None:
        """How many different harms were done."""
        self._note(CASES, number)


@pytest.fixture
def fault(record_property: Callable[[str, object], None]) -> Row:
    """The test's row in the table of faults."""
    return Row(record_property)


def rows(terminalreporter: "pytest.TerminalReporter") -> Iterator[str]:
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            said = dict(getattr(report, "user_properties", ()))
            ran = getattr(report, "when", "") == "call"
            if PROPERTY not in said or not ran:
                continue
            held = "held" if outcome == "passed" else "DOES NOT HOLD"
            yield f"{said[PROPERTY]} | {held} | {said.get(CASES, 1)} | {report.duration:.1f}"


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if told := sorted(set(rows(terminalreporter))):
        terminalreporter.section("faults: fault | what must hold | held? | cases | seconds")
        for row in told:
            terminalreporter.write_line(row)

"""The table of faults: what was done to the operator, what held, in how many cases; printed at a run's end.

A test says its row by the fixture `fault`, before it begins; how it ends says whether it held. The rows travel in the
tests' reports, so they come from every worker.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

PROPERTY: Final = "fault table"
NO_SERVER: Final = "all four alike: no server takes part"
"""The setting of a row without one: a policy reads a rollout's status and its collector, and never what serves."""
CASES: Final = "fault cases"


class Row:
    """A row that is being made.

    Args:
        setting: what is served, and how, while the fault is there.
    """

    def __init__(self, note: Callable[[str, object], None], setting: str) -> None:
        self._note, self._setting = note, setting

    def says(self, fault: str, must_hold: str, setting: str = "") -> None:
        """What is said later of the same setting takes the former's place."""
        where = setting or self._setting
        self._note(f"{PROPERTY}, {where}", f"{fault} | {where} | {must_hold}")

    def cases(self, number: int) -> None:
        """How many different harms were done."""
        self._note(CASES, number)


@pytest.fixture
def fault(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Row:
    """The test's row in the table of faults, in the setting of a test that has one."""
    chosen = request.getfixturevalue("setting") if "setting" in request.fixturenames else NO_SERVER
    return Row(record_property, str(chosen))


def rows(terminalreporter: "pytest.TerminalReporter") -> Iterator[str]:
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            said = dict(getattr(report, "user_properties", ()))
            ran = getattr(report, "when", "") == "call"
            held = "held" if outcome == "passed" else "DOES NOT HOLD"
            for name, row in said.items():
                if ran and name.startswith(f"{PROPERTY}, "):
                    yield f"{row} | {held} | {said.get(CASES, 1)} | {report.duration:.1f}"


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if told := sorted(set(rows(terminalreporter))):
        terminalreporter.section("faults: fault | setting | what must hold | held? | cases | seconds")
        for row in told:
            terminalreporter.write_line(row)

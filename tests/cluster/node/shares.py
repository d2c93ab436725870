"""Shares of requests, wished and measured: asserted, and told at a run's end."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.cluster.kube.load_run import Ended

PROPERTY: Final = "shares"
LOADS: Final = "loads"
Note = Callable[[str, object], None]


def assert_share(note: Note, what: str, count: int, of: int, percent: int) -> None:
    """Within five standard deviations of a fair draw: a wrong run in two million."""
    share = percent / 100
    note(PROPERTY, f"{what} | {percent} % | {100 * count / max(1, of):.2f} % | {count} of {of}")
    deviation = math.sqrt(of * share * (1 - share))
    assert of > 0
    assert abs(count - of * share) <= 5 * deviation + 1


def tell_load(note: Note, ended: "Ended") -> None:
    """What a load sent, and what came of it."""
    latency = ", ".join(f"{name} {value:.0f}" for name, value in ended.latency_ms.items())
    note(LOADS, f"{ended.sent} sent | {ended.failed} failed | {ended.elapsed_s:.0f} s | ms: {latency}")


def note_cost(note: Note, what: str, failed: int, sent: int, seconds: int) -> None:
    note(LOADS, f"{what}: {failed} failed of {sent} sent in the {seconds} seconds that had failures")


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    for name, title in (
        (PROPERTY, "shares: what | wished | measured | requests"),
        (LOADS, "loads: requests"),
    ):
        if told := list(_rows(terminalreporter, name)):
            terminalreporter.section(title)
            for row in told:
                terminalreporter.write_line(row)


def _rows(terminalreporter: "pytest.TerminalReporter", wanted: str) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                test = report.nodeid.partition("::")[2]
                yield from (f"{test}: {row}" for name, row in report.user_properties if name == wanted)

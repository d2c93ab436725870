"""Alarms: performance that dropped, with the test that says so; inputs that drifted, which only annotate."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trimtab.local.demo.report import words
from trimtab.local.demo.report.bounds_chart import Chart, Look, chart
from trimtab.local.demo.report.chapters import Chapter
from trimtab.local.demo.report.told import Happening, Told, when


def alarms(told: Told) -> Iterator[Chapter]:
    for event in told.of_kind("PerformanceDropped", "Drifted"):
        yield performance(told, event) if event.kind == "PerformanceDropped" else drifted(told, event)


def performance(told: Told, event: Happening) -> Chapter:
    test = test_of(told, event)
    facts = [
        ("Skill lost", f"{words.plain(event.bounds.get('drop'))} nats a flight"),
        ("Bounds", words.interval("skill", event.bounds.get("lower"), event.bounds.get("upper"))),
        ("Units", f"{event.bounds.get('blocks', '?')} local days"),
    ]
    if test:
        facts += [
            (
                "Reference skill",
                f"{words.signed(test['reference'])} (standard error {words.plain(test['reference_error'])}, "
                f"{test['reference_days']} days)",
            ),
            ("Alarm when", f"lower bound above {words.plain(test['max_drop'])}"),
            ("α", f"{test['alpha']:g}"),
        ]
    return Chapter(
        at=event.at,
        date=words.moment(event.at, told.zone),
        lane="alarm",
        tone="drifted",
        title=f"Alarm: {told.name(event.revision)} predicts worse than it did when it was made",
        badge="performance dropped",
        because=words.sentence(event.because),
        colour=told.colour(event.revision),
        facts=facts,
        charts=[drawing] if test and (drawing := test_chart(told, event, test)) else [],
    )


def test_of(told: Told, event: Happening) -> Mapping[str, Any] | None:
    """The performance test of the reign in which an alarm was raised."""
    for test in told.story["skill_tests"]:
        if test["revision"] == event.revision and when(test["since"]) <= event.at <= when(test["until"]):
            return test if test["days"] else None
    return None


def test_chart(told: Told, event: Happening, test: Mapping[str, Any]) -> Chart | None:
    """The bounds day by day, up to the alarm."""
    days = [one for one in test["days"] if one["blocks"] <= event.bounds.get("blocks", 0)]
    return draw(told, test, days, "Skill lost since it became stable") if days else None


def reigns(told: Told) -> list[tuple[Chart, str]]:
    """The test of each reign to its end, with its revision's colour."""
    return [
        (
            draw(told, test, test["days"], f"{told.name(test['revision'])}: skill lost"),
            told.colour(test["revision"]),
        )
        for test in told.story["skill_tests"]
        if test["days"]
    ]


def draw(told: Told, test: Mapping[str, Any], days: Sequence[Mapping[str, Any]], title: str) -> Chart:
    looks = [Look(when(one["start"]), one["estimate"], one["lower"], one["upper"]) for one in days]
    return chart(
        title,
        f"nats a flight, by local day; {len(looks)} days, {days[-1]['rows']:,} flights",
        looks,
        float(test["max_drop"]),
        "alarm: band above",
        told.zone,
        words.signed,
    )


def drifted(told: Told, event: Happening) -> Chapter:
    columns = [
        (name, words.plain(value))
        for name, value in event.bounds.items()
        if isinstance(value, float | int) and name not in ("rows", "drifted_share")
    ]
    share = event.bounds.get("drifted_share")
    return Chapter(
        at=event.at,
        date=words.moment(event.at, told.zone),
        lane="alarm",
        tone="seasonal",
        title="Inputs drifted",
        badge="annotates, starts nothing",
        because=words.sentence(event.because),
        colour=told.colour(event.revision),
        facts=[
            ("Flights in the window", f"{event.bounds.get('rows', 0):,.0f}"),
            ("Drifted share of counted features", words.NONE if share is None else f"{100 * share:.0f} %"),
            *columns,
        ],
        note="Input drift alone starts no training here: the policy acts on performance.",
    )

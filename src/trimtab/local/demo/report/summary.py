"""The page's first lines and its honest ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trimtab.local.demo.report import words
from trimtab.local.demo.report.told import Told, forced, when
from trimtab.local.demo.report.worth import gains


@dataclass(frozen=True, slots=True)
class Tile:
    """One key figure."""

    name: str
    value: str
    small: str


def promotions(told: Told) -> list[Any]:
    """Promotions but the first revision's, which had nothing to be held against."""
    return list(told.story["result"]["promotions"][1:])


def headline(told: Told) -> str:
    """The year in one sentence."""
    refused = len(told.story["result"]["refusals"])
    failed = told.story["result"]["requests"]["failed"]
    text = (
        f"{words.counted(len(promotions(told)), 'new model')} promoted, {words.counted(refused, 'candidate')} refused, "
        f"{words.counted(failed, 'failed request')}"
    )
    return text[:1].upper() + text[1:]


def lead(told: Told) -> str:
    """What was done, and by whom."""
    result = told.story["result"]
    alarms = len(told.of_kind("PerformanceDropped"))
    runs = len(told.of_kind("RunClaimed"))
    last = told.end - timedelta(minutes=1)
    text = (
        f"From {words.day(told.start, told.zone)} to {words.day(last, told.zone)} 2013 the loop answered "
        f"{result['predictions']:,} questions of whether a flight from New York will arrive late, raised "
        f"{words.counted(alarms, 'alarm')} about its model, asked for {words.counted(runs, 'training run')}, and "
        "settled by its rules what became of each."
    )
    worth = "".join(
        f" {found.sentence}"
        for one in promotions(told)
        if (found := gains(told, str(one["name"]))) is not None
    )
    hand = (
        " One candidate, December's, was forced past its gate to show what shadow does; it is marked as such."
    )
    return text + worth + (hand if any(map(forced, told.story["versions"])) else "")


def tiles(told: Told) -> list[Tile]:
    result = told.story["result"]
    requests, events = result["requests"], result["events"]
    minutes, seconds = divmod(round(result["wall_s"]), 60)
    by_gate = sum(one.get("by") == "gate" for one in result["refusals"])
    return [
        Tile(
            "Requests answered",
            f"{requests['served']:,}",
            f"{requests['failed']:,} failed, {requests['per_s']:,} a second",
        ),
        Tile("Predictions", f"{result['predictions']:,}", "of real flights, copies not counted"),
        Tile(
            "Events for monitoring",
            f"{events['received']:,}",
            f"{events['lost']:,} lost of {events['sent']:,}",
        ),
        Tile("Promoted", str(len(promotions(told))), "after shadow and canary"),
        Tile(
            "Refused",
            str(len(result["refusals"])),
            f"{by_gate} by gates, {len(result['refusals']) - by_gate} in their rollout",
        ),
        Tile(
            "Took",
            f"{minutes} min {seconds:02d} s",
            f"{result['peak_memory_mb'] / 1000:.1f} GB at its peak, on one machine",
        ),
    ]


def refusals(told: Told) -> list[dict[str, str]]:
    """Who was refused when, by what, and why."""
    by = {"gate": "its gates", "rollout": "its rollout"}
    return [
        {
            "when": _when(told, one.get("at")),
            "name": str(one.get("name") or told.name(str(one.get("revision")))),
            "by": by.get(str(one.get("by")), str(one.get("by"))),
            "because": words.sentence(str(one["because"])),
        }
        for one in sorted(told.story["result"]["refusals"], key=lambda one: str(one.get("at")))
    ]


def _when(told: Told, at: Any) -> str:
    try:
        return words.moment(when(str(at)), told.zone)
    except ValueError:
        return words.NONE


def notes(told: Told) -> Sequence[tuple[str, str]]:
    """What a careful reader wants to know before believing the page."""
    found = [
        (
            "What a promotion proves",
            "A candidate passes when it is shown to be no worse than stable by more than the margin. So a refit that "
            "is merely no worse may be promoted; the card of each rollout shows its gain, or that there is none.",
        ),
        (
            "What the units are",
            "Flights of one day share its weather: their losses are not independent. Log loss is judged on local days, "
            "cut at 04:00 in New York and closed when their outcomes are known; errors and latency on requests. Bounds "
            "hold at any time of looking.",
        ),
        (
            "What was not used",
            "Estimates of accuracy without labels (CBPE) assume that the relation of inputs to outcome stays as it "
            "was; on these flights it does not. None trips, gates or passes anything here. AUC and log loss by month "
            "are shown and never tripped on.",
        ),
        (
            "What the months compare",
            "A revision's month holds the flights that it answered or got copies of. Two revisions in one month need "
            "not have seen the same flights; only the paired differences in the cards of rollouts compare like with "
            "like.",
        ),
        (
            "How time went",
            "The replay lives the year hour by hour: real HTTP requests through the gateway, real training runs, real "
            "processes. Time stands still while a run or a server start is under way, and each run is charged an hour.",
        ),
    ]
    if any(map(forced, told.story["versions"])):
        found.insert(
            1,
            (
                "What was staged",
                "One candidate: December's. It learned from September to November alone and was let past its gate on "
                "purpose. Everything else is what the rules made of the data.",
            ),
        )
    return found

"""The story as typed values: what the page's parts read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

DAY: Final = timedelta(days=1)
COLOURS: Final = 7
"""Colours of revisions in the style sheet, --r1 to --r7."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the loop."""

    at: datetime
    resource: str
    kind: str
    revision: str
    because: str
    bounds: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One check's bounds at one time; a bound that is None is infinite."""

    at: datetime
    step: str
    verdict: str
    estimate: float | None
    lower: float | None
    upper: float | None
    margin: float | None
    units: int
    rows: int
    entered: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """Traffic between two changes: percent by revision, and who got copies."""

    start: datetime
    end: datetime
    weights: Mapping[str, int]
    mirror: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that came to pass.

    Attributes:
        names: `v3` by revision, in the order of versions.
        colours: the CSS variable of each revision's colour.
        story: as read, for what only one part of the page needs.
    """

    start: datetime
    end: datetime
    zone: ZoneInfo
    names: Mapping[str, str]
    colours: Mapping[str, str]
    events: Sequence[Happening]
    splits: Sequence[Split]
    story: Mapping[str, Any]

    @classmethod
    def of(cls, story: Mapping[str, Any]) -> "Told":
        """Read a story as JSON holds it."""
        events = [
            Happening(when(one["at"]), one["resource"], one["kind"], one["revision"], one["because"], one["bounds"])
            for one in story["events"]
        ]  # fmt: skip
        starts = [when(one["at"]) for one in story["traffic"]]
        end = when(story["span"]["end"])
        splits = [
            Split(start, until, {name: int(share) for name, share in one["weights"].items()}, one["mirror"])
            for start, until, one in zip(starts, [*starts[1:], end], story["traffic"], strict=True)
        ]
        names = dict(sorted(story["names"].items(), key=lambda item: number_of(item[1])))
        return cls(
            start=when(story["span"]["start"]),
            end=end,
            zone=ZoneInfo(story["project"]["time_zone"]),
            names=names,
            colours={one: f"var(--r{place % COLOURS + 1})" for place, one in enumerate(names)},
            events=events,
            splits=splits,
            story=story,
        )

    def name(self, revision: str) -> str:
        """What a person calls a revision."""
        return self.names.get(revision, revision)

    def colour(self, revision: str) -> str:
        return self.colours.get(revision, "var(--faint)")

    def of_kind(self, *kinds: str) -> list[Happening]:
        return [one for one in self.events if one.kind in kinds]

    def checks(self, revision: str) -> dict[str, list[Seen]]:
        """A candidate's checks by name: the last look of each local day that brought new evidence, in order."""
        found: dict[str, dict[str, Seen]] = {}
        for one in self.story["bounds"]:
            if one["revision"] != revision:
                continue
            at = when(one["at"])
            seen = Seen(at, **{name: one[name] for name in SEEN}, entered=one.get("entered", 1))
            found.setdefault(one["check"], {})[f"{at.astimezone(self.zone):%Y-%m-%d}"] = seen
        return {check: _with_news(list(days.values())) for check, days in found.items()}

    def gaps(self) -> list[tuple[datetime, datetime]]:
        """Stretches of more than a week in which no revision answered anything: they were not lived through."""
        days = sorted(
            {when(one["start"]) for days in self.story["days"].values() for one in days if one["rows"]}
        )
        ends = [one + DAY for one in days]
        return [
            (end, start)
            for end, start in zip(ends, days[1:], strict=False)
            if start - end > timedelta(days=7)
        ]

    def alone(self, revision: str) -> list[tuple[datetime, datetime]]:
        """The stretches in which a revision answered every request."""
        found: list[tuple[datetime, datetime]] = []
        for split in self.splits:
            if split.weights.get(revision) != 100:
                continue
            if found and found[-1][1] == split.start:
                found[-1] = found[-1][0], split.end
            else:
                found.append((split.start, split.end))
        return found

    def served(self, revision: str) -> list[tuple[datetime, datetime, int]]:
        """The stretches in which a revision answered requests, and how many in a hundred."""
        found: list[tuple[datetime, datetime, int]] = []
        for split in self.splits:
            share = split.weights.get(revision, 0)
            if not share:
                continue
            if found and found[-1][1:] == (split.start, share):
                found[-1] = found[-1][0], split.end, share
            else:
                found.append((split.start, split.end, share))
        return found

    def version(self, name: str) -> Mapping[str, Any] | None:
        """The registry's version of this name."""
        return next((one for one in self.story["versions"] if one["name"] == name), None)


def _with_news(looks: Sequence[Seen]) -> list[Seen]:
    """Without looks at evidence that had not grown; a later verdict on the same evidence stands."""
    found: list[Seen] = []
    for look in looks:
        if found and found[-1].units == look.units:
            look = replace(look, at=found[-1].at)
            found.pop()
        found.append(look)
    return found


SEEN: Final = ("step", "verdict", "estimate", "lower", "upper", "margin", "units", "rows")


FORCED: Final = "forced past the gate: "
"""How the registry marks a version that its gates refused and that was let through on purpose."""


def forced(version: Mapping[str, Any] | None) -> str:
    """What the gates had said against a forced version; "" for any other."""
    because = str(version["tags"].get("trimtab.because", "")) if version else ""
    return because.removeprefix(FORCED) if because.startswith(FORCED) else ""


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def number_of(name: str) -> int:
    """A version's number, for its place in a list."""
    digits = name.removeprefix("v")
    return int(digits) if digits.isdigit() else 10**9

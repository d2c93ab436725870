"""The flights episode of April to June 2013, as a demo on one machine lived it (record_episode.py): its evidence, its
models, what their gates said, and what the loop made of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trimtab.api.rollout_status import RevisionRef
from trimtab.ports.evidence import BlockCut, ScoredBlock
from trimtab.sketch import Sketch

RECORDING = Path(__file__).with_name("flights_episode.json")
DAY = timedelta(days=1)
REARM = {"newLabelledShare": "0.2", "minInterval": "14d"}
"""As in the example's trimtab.yaml."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run of some day came to."""

    passed: bool
    because: str
    labelled: int


class Recording:
    """What was recorded.

    Attributes:
        since: the first model served from then on.
        alarm: the episode's id, when it opened, and the sentence.
        armings: how each run of the episode ended.
        promoted_at: when the second model had all requests.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._models = told["models"]
        self.since = datetime.fromisoformat(told["since"])
        self.promoted_at = datetime.fromisoformat(told["promotedAt"])
        self.alarm: Mapping[str, str] = told["alarm"]
        self.armings: Sequence[Mapping[str, Any]] = told["armings"]
        self.scored = [
            ScoredBlock(**one | {"start": datetime.fromisoformat(one["start"])}) for one in told["scored"]
        ]

    @classmethod
    def load(cls) -> "Recording":
        return cls(json.loads(RECORDING.read_text()))

    @property
    def first(self) -> RevisionRef:
        """What served from the beginning."""
        model = self._models["1"]
        return RevisionRef(
            revision=model["revision"], version="1", uri=uri(model["digest"]), digest=model["digest"]
        )

    def profile(self, version: str) -> bytes:
        """Of the first model, and for any other the one of the model that was promoted."""
        other = next(one for one in self._models if one != "1")
        return json.dumps(self._models[version if version == "1" else other]["profile"]).encode()

    def trained(self, until: datetime) -> Trained:
        """What a run whose data ends then comes to: what the last recorded one before it came to."""
        past = [one for one in self.armings if datetime.fromisoformat(one["claimedAt"]) <= until]
        told = past[-1]
        return Trained(told["outcome"] == "Promoted", told["because"], int(told["labelled"]))


def uri(digest: str) -> str:
    return f"s3://models/{digest[:16]}"


class Served:
    """ports.evidence.Evidence as far as a monitor and a policy ask: the recorded answers, as of the clock's moment."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def observe(self, revision: str, profile: bytes) -> None:
        """It is known."""

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        """A block never changes once it is mature: its day is over, and another has passed."""
        assert (cut.zone, cut.length_s) == ("America/New_York", DAY.total_seconds())
        if revision != self._recording.first.revision:
            return []
        known = (one for one in self._recording.scored if one.start + 2 * DAY <= now)
        return [one for one in known if start <= one.start and one.start + DAY <= end]

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, Sketch]:
        """Input drift is no part of the recording: no window of it drifted."""
        return {}

    def requests(self, revision: str, start: datetime, end: datetime, bucket_s: int) -> Sequence[Any]:
        return []

    def received(self) -> Mapping[str, int]:
        return {}


def at(month: int, day: int) -> datetime:
    """The hour at which New York's flights of the day before yesterday are all known."""
    return datetime(2013, month, day, 8, tzinfo=UTC)

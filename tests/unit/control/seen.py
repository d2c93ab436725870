"""What is seen of a world's requests and labels."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.ports.evidence import Agreement, BlockCut, Latencies, PairedBlock, RequestCount, ScoredBlock

if TYPE_CHECKING:
    from tests.unit.control.world import World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROWS = 900
EDGES = tuple(1.02**k for k in range(300))


@dataclass
class Evidence:
    world: "World"

    def observe(self, revision: str, profile: bytes) -> None:
        self.world.reachable("evidence")

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, object]:
        self.world.reachable("evidence")
        return self.world.sketches_of(start, end)

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        self.world.reachable("evidence")
        if start > end:
            raise InputRefused("start is after end")
        found, at = [], start.replace(minute=0, second=0)
        while at < end and start < end:
            share = self._share(revision, at + timedelta(minutes=30))
            requests = self.world.requests_an_hour * share // 100
            errors = round(requests * self.world.models[revision].errors)
            if requests:
                found.append(RequestCount(at, requests, errors, requests * 2))
            at += HOUR
        return found

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies:
        total = sum(count.requests for count in self.requests(revision, start, end, 3600))
        shares = np.exp(-0.5 * ((np.array(EDGES) / (20 * self.world.models[revision].slow) - 1) / 0.3) ** 2)
        return Latencies(EDGES, [int(c) for c in shares / shares.sum() * total * 1.1])

    def scored(
        self, revision: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[ScoredBlock]:
        self.world.reachable("evidence")
        return [
            ScoredBlock(day, ROWS, 0, 0.0, 0.0, ROWS, ROWS * self.world.skills(revision, day), 200)
            for day in self._blocks(start, end, cut, now)
        ]

    def paired(
        self, stable: str, candidate: str, start: datetime, end: datetime, cut: BlockCut, now: datetime
    ) -> Sequence[PairedBlock]:
        self.world.reachable("evidence")
        if self.world.unprofiled:
            raise InputRefused(f"the profile of '{stable}' has not come")
        ours, theirs = self.world.models[candidate], self.world.models[stable]
        found = []
        for day in self._blocks(start, end, cut, now):
            noise = random.Random(f"{day}{stable}{candidate}").gauss(0, ours.noise)
            found.append(PairedBlock(day, ROWS, 3, ROWS * (ours.loss - theirs.loss + noise), 0.1, -0.1))
        return found[self.world.lost_blocks :]

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement:
        pairs = sum(count.requests for count in self.requests(candidate, start, end, 3600))
        nan = pairs if self.world.models[candidate].nan else 0
        return Agreement(pairs, pairs // 10, 0.01 * pairs, nan, min(pairs, 2))

    def received(self) -> Mapping[str, int]:
        return {name: sent.requests + sent.mirrored for name, sent in self.world.counts.items()}

    def _share(self, revision: str, at: datetime) -> int:
        split = next((how for since, to, how in reversed(self.world.flowed) if since <= at < to), None)
        if split is None:
            return 0
        mirrored = split.mirror_percent if split.mirror == revision else 0
        return split.weights.get(revision, 0) + mirrored

    def _blocks(self, start: datetime, end: datetime, cut: BlockCut, now: datetime) -> list[datetime]:
        """Blocks whose rows are mature a day later."""
        if start > end:
            raise InputRefused("start is after end")
        length = timedelta(seconds=cut.length_s)
        block = start.replace(hour=4, minute=0, second=0, microsecond=0)
        if block > start:
            block -= DAY
        block += (start - block) // length * length
        found = []
        while block + length <= end and block + length + DAY <= now:
            found.append(block)
            block += length
        return found

"""Events are few: the same one is counted, and one object cannot flood a person."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from operators.drift.reporting import BURST, LONGEST, REFILL_PER_S, SAME_S, SERIES_EVERY_S, Reporter
from operators.drift.runtime import Client

METADATA = {"name": "flights", "namespace": "a", "uid": "u"}
ABOUT: dict[str, Any] = {
    "apiVersion": "trimtab.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": METADATA,
}


class Sent:
    """Takes what a client would send; its clock stands until it is told."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.counted: list[int] = []
        self.now_s = 1000.0
        self.reporter = Reporter(
            cast(Client, self), asyncio.get_running_loop(), "me", clock_s=lambda: self.now_s
        )

    async def create(self, resource: object, obj: dict[str, Any]) -> None:
        self.created.append(obj)

    async def merge_patch(self, resource: object, namespace: str, name: str, patch: dict[str, Any]) -> None:
        assert name in [one["metadata"]["name"] for one in self.created]
        self.counted.append(patch["series"]["count"])

    async def say(self, note: str, about: dict[str, Any] = ABOUT) -> None:
        self.reporter.report(about, "Stalled", note)
        for _ in range(3):
            await asyncio.sleep(0)


def told(story: Callable[[Sent], Awaitable[None]]) -> Sent:
    async def run() -> Sent:
        sent = Sent()
        await story(sent)
        return sent

    return asyncio.run(run())


def test_the_same_event_is_counted_and_told_again_when_it_lasts() -> None:
    async def story(sent: Sent) -> None:
        for _ in range(5):
            await sent.say("it fails")
        sent.now_s += SERIES_EVERY_S
        await sent.say("it fails")
        sent.now_s += SAME_S
        await sent.say("it fails")

    sent = told(story)
    assert len(sent.created) == 2
    assert sent.counted == [6]
    assert sent.created[0]["regarding"]["uid"] == "u"


def test_one_object_cannot_flood_and_another_is_still_heard() -> None:
    async def story(sent: Sent) -> None:
        for number in range(100):
            await sent.say(f"for reason {number}")
        await sent.say("another", {**ABOUT, "metadata": {**METADATA, "uid": "v"}})
        sent.now_s += 1 / REFILL_PER_S
        await sent.say("later")

    notes = [one["note"] for one in told(story).created]
    assert len(notes) == int(BURST) + 2
    assert notes[-2:] == ["another", "later"]


def test_a_note_is_cut_to_what_the_api_server_takes() -> None:
    (event,) = told(lambda sent: sent.say("x" * 5000)).created
    assert len(event["note"]) == LONGEST

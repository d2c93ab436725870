"""A queue of keys: each once, none twice at a time, none lost."""

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from operators.drift.runtime.backoff import Backoff
from operators.drift.runtime.queue import Closed, Queue

KEYS = st.sampled_from("abcde")


class Lines(RuleBasedStateMachine):
    """Against the plain meaning: what is wished and not yet given out is given out, in order, and never twice."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.queue: Queue[str] = Queue(clock=lambda: self.now, backoff=Backoff(1.0, 8.0))
        self.waiting: list[str] = []
        self.running: set[str] = set()
        self.again: set[str] = set()
        self.due: dict[str, float] = {}

    def teardown(self) -> None:
        self.queue.close()
        self.loop.close()

    def do(self, act) -> object:  # type: ignore[no-untyped-def]
        async def inside() -> object:
            result = act()
            return await result if asyncio.iscoroutine(result) else result

        return self.loop.run_until_complete(inside())

    def wish(self, key: str) -> None:
        if key in self.running:
            self.again.add(key)
        elif key not in self.waiting:
            self.waiting.append(key)

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.do(lambda: self.queue.add(key))
        self.wish(key)

    @rule(key=KEYS, delay_s=st.integers(1, 20))
    def add_after(self, key: str, delay_s: int) -> None:
        self.do(lambda: self.queue.add_after(key, delay_s))
        self.due[key] = min(self.due.get(key, float("inf")), self.now + delay_s)

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.do(lambda: self.queue._ring())
        for key in sorted(
            (key for key, due in self.due.items() if due <= self.now), key=lambda key: self.due[key]
        ):
            self.wish(key)
            del self.due[key]

    @precondition(lambda self: self.waiting)
    @rule()
    def get(self) -> None:
        given = self.do(self.queue.get)
        assert given in self.waiting
        self.waiting.remove(given)
        self.running.add(given)
        self.due.pop(given, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.do(lambda: self.queue.done(key))
        self.running.discard(key)
        if key in self.again:
            self.again.discard(key)
            self.wish(key)

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.depth == len(self.waiting) + len(self.again)
        assert self.queue.running == len(self.running)
        assert self.queue.delayed == len(self.due)


TestLines = Lines.TestCase
TestLines.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_ten_thousand_keys_by_many_hands_each_at_least_once_and_never_two_at_a_time() -> None:
    async def scenario() -> None:
        queue: Queue[int] = Queue()
        seen: Counter[int] = Counter()
        busy: set[int] = set()

        async def hand() -> None:
            while True:
                try:
                    key = await queue.get()
                except Closed:
                    return
                assert key not in busy
                busy.add(key)
                await asyncio.sleep(0)
                seen[key] += 1
                busy.discard(key)
                queue.done(key)

        hands = [asyncio.create_task(hand()) for _ in range(16)]
        for turn in range(3):
            for key in range(10_000):
                queue.add(key)
                if key % 97 == turn:
                    await asyncio.sleep(0)
        while queue.depth or queue.running:
            await asyncio.sleep(0)
        queue.close()
        await asyncio.gather(*hands)
        assert len(seen) == 10_000
        assert max(seen.values()) <= 3

    asyncio.run(scenario())


def test_failures_wait_longer_each_time_and_success_forgets_them() -> None:
    async def scenario() -> None:
        queue: Queue[str] = Queue(backoff=Backoff(1.0, 8.0, draw=lambda: 1.0))
        assert [queue.fail("a") for _ in range(5)] == [1, 2, 4, 8, 8]
        assert queue.fail("a", at_least_s=30) == 30
        queue.forget("a")
        assert queue.fail("a") == 1
        queue.close()

    asyncio.run(scenario())


def test_a_delayed_key_comes_by_itself_and_a_cancelled_taker_loses_none() -> None:
    async def scenario() -> None:
        queue: Queue[str] = Queue()
        gone, stays = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add_after("a", 0.01)
        gone.cancel()
        async with asyncio.timeout(30):
            assert await stays == "a"
        queue.add("b")
        late = asyncio.create_task(queue.get())
        async with asyncio.timeout(30):
            assert await late == "b"
        waits = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.close()
        with pytest.raises(Closed):
            await waits

    asyncio.run(scenario())

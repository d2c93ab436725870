"""The payload log's bounds, in this process, against a real sink."""

import asyncio

import pytest

from .conftest import Collecting

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def make_log(sink: Collecting):
    from trimtab.serving.payload_log import PayloadLog
    from trimtab.serving.sink import Sink

    return lambda **bounds: PayloadLog(Sink(sink.url, "application/cloudevents-batch+json"), **bounds)


def event(number: int) -> bytes:
    return b'{"id": "%d"}' % number


@pytest.mark.parametrize("bounds", [{"events": 10}, {"size_bytes": 10 * len(event(0))}])
def test_what_has_no_room_is_dropped_and_counted_and_the_rest_arrives(make_log, sink: Collecting, bounds):
    async def scenario():
        log = make_log(**bounds)
        for number in range(10):
            log.offer(event(number))
        for _ in range(5):
            log.offer(event(9))
        assert (log.handled, log.dropped, log.in_flight) == (15, 5, 10)
        log.start()
        await log.close(10)
        assert (log.logged, log.dropped, log.in_flight) == (10, 5, 0)

    asyncio.run(scenario())
    assert [e["id"] for e in sink.events] == [str(number) for number in range(10)]


def test_a_slow_sink_never_makes_a_request_wait(make_log, sink: Collecting):
    sink.delay_s = 3600

    async def scenario():
        log = make_log(events=100)
        log.start()
        for number in range(1000):
            log.offer(event(number))
            if number % 100 == 0:
                await asyncio.sleep(0.005)
        assert log.dropped + log.in_flight == 1000
        assert log.in_flight == 100
        await log.close(0.05)
        assert (log.logged, log.dropped, log.in_flight) == (0, 1000, 0)

    asyncio.run(scenario())


def test_batches_hold_at_most_a_hundred_events_and_a_mebibyte(make_log, sink: Collecting):
    large = b'{"id": "%s"}' % (b"x" * 400_000)

    async def scenario():
        log = make_log()
        for number in range(250):
            log.offer(event(number))
        for _ in range(5):
            log.offer(large)
        log.start()
        await log.close(10)
        assert log.logged == 255

    asyncio.run(scenario())
    assert sink.batches == [100, 100, 52, 2, 1]

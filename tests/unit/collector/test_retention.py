"""What lies further back than the days that are kept goes from memory and disk, and its totals stay."""

import json
from datetime import UTC, datetime, timedelta

from trimtab.collector.event import decode_batch
from trimtab.collector.ledger import Ledger
from trimtab.collector.log import Kind, Log, Record
from trimtab.collector.replay import opening, restore
from trimtab.collector.server import forget

START = datetime(2013, 4, 1, tzinfo=UTC)


def opened(folder):
    ledger = Ledger()
    log = Log(folder, lambda: opening(ledger), segment_bytes=20_000)
    restore(ledger, log)
    return ledger, log


def day_of(number):
    """A hundred events of one day, one row each."""
    return [
        {
            "type": "dev.trimtab.inference",
            "id": f"{number}-{minute}",
            "source": "pod",
            "revision": "aaaaaaaa",
            "time": (START + timedelta(days=number, minutes=minute)).isoformat(),
            "status": 200,
            "data": {"ids": [f"e{number}-{minute}"], "times": [minute], "features": {}, "predictions": [0.5]},
        }
        for minute in range(100)
    ]


def test_old_days_go_and_a_restart_says_the_same(tmp_path):
    ledger, log = opened(tmp_path)
    for number in range(10):
        body = json.dumps(day_of(number)).encode()
        events = decode_batch(body)
        log.append([Record(Kind.EVENTS, body)], max(event.time_us for event in events))
        for event in events:
            ledger.take(event)
    files = len(log.segments)
    forget(ledger, log, keep_days=3)
    assert len(log.segments) < files
    assert ledger.received == {"aaaaaaaa": 1_000}
    assert len(ledger.revisions["aaaaaaaa"].requests) == 400
    log.close()
    again, log = opened(tmp_path)
    forget(again, log, keep_days=3)
    assert again.received == {"aaaaaaaa": 1_000}
    assert len(again.revisions["aaaaaaaa"].requests) == 400
    log.close()

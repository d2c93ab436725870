"""What a program reads of an event of Kubernetes."""

import json
from datetime import UTC, datetime

from trimtab.adapters.kubernetes.state import facts
from trimtab.ports.state import Event

AT = datetime(2013, 4, 10, 8, tzinfo=UTC)


def test_numbers_are_json_and_one_that_is_infinite_is_null() -> None:
    bounds = {"drop": 0.05, "upper": float("inf"), "lower": float("-inf"), "blocks": 8, "id": "e", "p": None}
    told = facts(Event(AT, "DriftMonitor", "PerformanceDropped", "93850377", "skill fell", bounds))

    def never(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    read = json.loads(told["trimtab.dev/event-bounds"], parse_constant=never)
    assert read == {"drop": 0.05, "upper": None, "lower": None, "blocks": 8, "id": "e", "p": None}
    assert told["trimtab.dev/event-at"] == "2013-04-10T08:00:00+00:00"
    assert told["trimtab.dev/event-revision"] == "93850377"
    assert told["trimtab.dev/event-because"] == "skill fell"

"""Labels are posted all or none, and a refusal names index and field."""

import json

import pytest

from trimtab.collector.event import EventRefused
from trimtab.collector.labels import decode_labels


def body(**changes):
    one = {"id": "a", "label": 1, "known_at": "2013-04-02T10:00:00Z"} | changes
    return json.dumps({"labels": [{"id": "b", "label": 0, "known_at": "2013-04-02T10:00:00Z"}, one]}).encode()


def test_labels_are_numbers_with_the_time_they_became_known():
    first, second = decode_labels(
        body(label=0.5, known_at="2013-04-02T12:00:00+02:00", time="2013-04-01T00:00:00Z")
    )
    assert (first.label, first.time_us) == (0.0, None)
    assert (second.label, second.known_us) == (0.5, first.known_us)
    assert second.time_us == 1_364_774_400_000_000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": 5}, "labels[1].id"),
        ({"id": ""}, "labels[1].id"),
        ({"label": "late"}, "labels[1].label"),
        ({"label": None}, "labels[1].label"),
        ({"known_at": "2013-04-02"}, "labels[1].known_at"),
        ({"known_at": "2013-04-02T10:00:00"}, "labels[1].known_at"),
        ({"known_at": "0001-04-02T10:00:00Z"}, "labels[1].known_at"),
        ({"time": "9999-04-02T10:00:00Z"}, "labels[1].time"),
    ],
)
def test_a_wrong_label_refuses_the_post(changes, named):
    with pytest.raises(EventRefused) as refused:
        decode_labels(body(**changes))
    assert named in refused.value.message


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"labels": 5}', b'{"label": []}', b'{"labels": [' + b"[" * 5_000]
)
def test_what_is_no_list_of_labels_is_refused(text):
    with pytest.raises(EventRefused, match="labels"):
        decode_labels(text)

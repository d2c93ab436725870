"""Predictions found in the collector's log by id: the log is written as the collector writes it."""

import json

import pytest

from trimtab.api.errors import InputRefused
from trimtab.local.lineage.logged import predictions


def event(revision, *ids, at="2024-01-01T00:00:00Z", prediction=0.5):
    return {
        "id": f"{revision}-{ids[0]}-{at}",
        "source": "server",
        "type": "dev.trimtab.inference",
        "time": at,
        "revision": revision,
        "status": 200,
        "durationms": 1.0,
        "data": {
            "ids": list(ids),
            "times": [1_704_067_200_000_000 + i for i in range(len(ids))],
            "features": {"visits": [float(i) for i in range(len(ids))]},
            "predictions": [prediction] * len(ids),
        },
    }


@pytest.fixture
def log(tmp_path):
    from trimtab.collector.log import Kind, Log, Record

    kept = Log(tmp_path / "collector", list, segment_bytes=600)
    list(kept.replay())
    groups = [
        [event("0a0a0a0a", "UA-1", "UA-2")],
        [event("0b0b0b0b", "UA-1", prediction=0.75), event("0a0a0a0a", "Größe|7")],
        [event("0a0a0a0a", "UA-1", at="2024-01-02T00:00:00Z")],
    ]
    for group in groups:
        kept.append([Record(Kind.EVENTS, json.dumps(group, ensure_ascii=False).encode())], 0)
    yield tmp_path / "collector"
    kept.close()


def test_an_id_is_found_with_each_answer_of_each_revision_while_the_collector_writes(log):
    found = predictions("UA-1", log)
    assert sorted((one.revision, one.prediction) for one in found) == [
        ("0a0a0a0a", 0.5),
        ("0a0a0a0a", 0.5),
        ("0b0b0b0b", 0.75),
    ]
    assert {one.features["visits"] for one in found} == {0.0}


def test_first_characters_are_enough_where_one_id_begins_so(log):
    assert predictions("Grö", log)[0].id == "Größe|7"


def test_first_characters_of_several_are_refused_with_their_names(log):
    with pytest.raises(InputRefused, match="'UA-' begins 2 prediction ids") as refused:
        predictions("UA-", log)
    assert "UA-1, UA-2" in refused.value.remedy


def test_an_id_that_was_never_logged_is_refused_with_some_that_were(log, tmp_path):
    with pytest.raises(InputRefused, match="no prediction 'LH-1' was logged") as refused:
        predictions("LH-1", log)
    assert "UA-1" in refused.value.remedy
    with pytest.raises(InputRefused) as refused:
        predictions("LH-1", tmp_path / "nothing")
    assert "no prediction was logged yet" in refused.value.remedy


def test_a_tail_that_is_being_written_is_left_out(log):
    last = sorted(log.glob("*.log"))[-1]
    with last.open("ab") as file:
        file.write(b"\x40\x00\x00\x00half")
    assert len(predictions("UA-1", log)) == 3

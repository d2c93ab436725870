"""The recording tells nothing before its time, and leaves nothing out."""

from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2013, 4, 1, 8, tzinfo=UTC)
HEADER = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour"  # noqa: E501
WEATHER = "origin,temp,time_hour"


def flight(number: int, at: datetime, late: int | None) -> tuple[str, dict]:
    """A source line and its departure row; `late` minutes at arrival, None for one that never left."""
    hour = at.replace(minute=0)
    outcome = ("NA", "NA", "NA", "NA") if late is None else ("1", str(late), "1", "60")
    dep_time, delay, arrival, air = outcome
    line = (
        f"2013,4,1,{dep_time},1,{delay},{arrival},1,{delay},UA,{number},N1,EWR,IAH,{air},500,"
        f"{at.hour},{at.minute},{hour:%Y-%m-%dT%H:%M:%SZ}"
    )
    row = {
        "flight_id": f"UA-{number}",
        "scheduled_departure": at,
        "carrier": "UA",
        "origin": "EWR",
        "dest": "IAH",
        "tailnum": "N1",
        "distance": 500,
        "local_hour": at.hour,
        "minute": at.minute,
        "arrived_late": None if late is None else late > 15,
        "label_known_at": None if late is None else at + timedelta(minutes=late + 120),
    }
    return line, row


@pytest.fixture
def year():
    import pyarrow as pa

    from trimtab.features import View
    from trimtab.local.demo.flights import FlightsYear

    times = [START + timedelta(minutes=17 * i - 2000) for i in range(500)]
    made = [flight(i, at, None if i % 11 == 0 else (i * 7) % 90) for i, at in enumerate(times)]
    hours = [START + timedelta(hours=h) for h in range(-40, 120)]
    weather = [f"EWR,50,{h:%Y-%m-%dT%H:%M:%SZ}" for h in hours]
    views = (View("weather", by="origin", time="time_hour", columns=("temp",)),)
    tables = {
        "weather": pa.table({
            "origin": ["EWR"] * len(hours),
            "time_hour": pa.array(hours, pa.timestamp("us", "UTC")),
            "temp": [50.0] * len(hours),
        })
    }  # fmt: skip
    schema = pa.schema([
        ("flight_id", pa.string()), ("scheduled_departure", pa.timestamp("us", "UTC")), ("carrier", pa.string()),
        ("origin", pa.string()), ("dest", pa.string()), ("tailnum", pa.string()), ("distance", pa.int64()),
        ("local_hour", pa.int64()), ("minute", pa.int64()), ("arrived_late", pa.bool_()),
        ("label_known_at", pa.timestamp("us", "UTC")),
    ])  # fmt: skip
    flights = pa.Table.from_pylist([row for _, row in made], schema=schema)
    lines = [HEADER, *(line for line, _ in made)]
    spans = ((START, START + timedelta(hours=40)), (START + timedelta(hours=60), START + timedelta(hours=90)))
    return FlightsYear(flights, views, tables, lines, [WEATHER, *weather], spans), [row for _, row in made]


def moment(line: str) -> datetime:
    fields = line.split(",")
    hour = datetime.fromisoformat(fields[18].replace("Z", "+00:00"))
    return hour + timedelta(minutes=int(fields[17]))


def test_no_outcome_is_written_before_it_is_known(year):
    recording, rows = year
    known = {row["flight_id"].split("-")[1]: row["label_known_at"] for row in rows}
    for hour in (recording.before(), *recording.hours()):
        for line in hour.appended.get("flights.csv", ()):
            fields = line.split(",")
            if fields[0] != "year" and fields[14] != "NA":
                assert known[fields[10]] <= hour.start
        for outcome in hour.outcomes:
            assert outcome.known_at <= hour.start
        for rows_known in hour.known:
            assert rows_known.times.max() <= hour.start.replace(tzinfo=None)


def test_every_flight_stands_in_the_source_once_before_it_leaves_and_with_its_outcome_after(year):
    recording, rows = year
    seen: dict[str, list[bool]] = {}
    end = START + timedelta(hours=89)
    for hour in (recording.before(), *recording.hours()):
        for line in hour.appended.get("flights.csv", ()):
            fields = line.split(",")
            if fields[0] != "year":
                seen.setdefault(fields[10], []).append(fields[14] != "NA")
    for row in rows:
        number = row["flight_id"].split("-")[1]
        if row["scheduled_departure"] >= end:
            continue
        landed = row["label_known_at"] is not None and row["label_known_at"] <= end
        assert seen[number][-1] == landed
        assert len(seen[number]) <= 2


def test_each_flight_of_the_spans_is_asked_for_once_in_its_own_hour_in_boards_of_four(year):
    import json

    recording, rows = year
    asked: list[str] = []
    for hour in recording.hours():
        for request in hour.requests:
            columns = {one["name"]: one["data"] for one in json.loads(request.body)["inputs"]}
            assert request.rows == len(columns["flight_id"]) <= 4
            asked += columns["flight_id"]
            for text in columns["scheduled_departure"]:
                assert hour.start <= datetime.fromisoformat(text) < hour.start + timedelta(hours=1)
    spans = ((0, 40), (60, 90))
    expected = [
        row["flight_id"]
        for row in rows
        if any(
            START + timedelta(hours=a) <= row["scheduled_departure"] < START + timedelta(hours=b)
            for a, b in spans
        )
    ]
    assert sorted(asked) == sorted(expected)


def test_request_ids_are_unique(year):
    recording, _ = year
    ids = [request.id for hour in recording.hours() for request in hour.requests]
    assert len(ids) == len(set(ids))

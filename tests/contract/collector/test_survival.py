"""What was acknowledged is there after a kill, a torn log or a full disk."""

import json
import random
import resource
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from collector_process import START, event

DEADLINE_S = 120


def post(process, *events):
    """POST on a connection of its own; the answer's status, or None where the process died over it."""
    body = json.dumps(events).encode()
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/cloudevents-batch+json\r\n"
    try:
        with socket.create_connection(("127.0.0.1", process.port), timeout=DEADLINE_S) as connection:
            connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            answer = connection.recv(4_096)
    except OSError:
        return None
    return int(answer.split()[1]) if answer else None


def sender(process, first, acknowledged, sent, stop):
    number = first
    while not stop.is_set():
        batch = [event(number + offset, rows=1) for offset in range(3)]
        sent.update(one["id"] for one in batch)
        if post(process, *batch) == 202:
            acknowledged.update(one["id"] for one in batch)
        number += 3


def held(process):
    from trimtab.adapters.collector import Collector

    collector = Collector(process.address)
    predictions = collector.predictions("aaaaaaaa", START, START + timedelta(days=36_000))
    received = collector.received().get("aaaaaaaa", 0)
    collector.close()
    return {"request-" + name.split("-")[1] for name in predictions.id}, received


def test_nothing_acknowledged_is_lost_by_kills_at_random_under_load(start):
    chance = random.Random(20130401)
    process = start()
    acknowledged, sent = set(), set()
    for turn in range(3):
        stop = threading.Event()
        threads = [
            threading.Thread(
                target=sender, args=(process, 20_000 * turn + 5_000 * lane, acknowledged, sent, stop)
            )
            for lane in range(4)
        ]
        for thread in threads:
            thread.start()
        before, until = len(acknowledged), time.monotonic() + DEADLINE_S
        while len(acknowledged) < before + 9:
            assert time.monotonic() < until
            time.sleep(0.005)
        stop.wait(chance.uniform(0.05, 0.4))
        process.kill()
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        process.start()
        ids, received = held(process)
        assert acknowledged <= ids <= sent
        assert received == len(ids)
    assert len(acknowledged) > 20


def test_events_sent_again_after_a_kill_change_nothing(start):
    process = start()
    events = [event(number) for number in range(5)]
    process.events(*events)
    process.kill()
    process.start()
    assert process.events(*events)[1] == {"accepted": 0, "duplicates": 5, "refused": []}
    assert process.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": 5}}


def test_a_torn_tail_is_cut_and_the_log_goes_on(start):
    process = start()
    process.events(event(1))
    process.kill()
    (segment,) = process.folder.glob("*.log")
    with segment.open("ab") as file:
        file.write(b"\x07torn")
    process.start()
    assert process.events(event(2))[0] == 202
    process.kill()
    process.start()
    assert process.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": 2}}


def test_a_full_disk_is_told_and_what_is_held_is_served(start):
    limit = 60_000
    process = start(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    taken, number = 0, 0
    while (answer := process.events(event(number)))[0] == 202:
        taken, number = taken + 1, number + 1
    assert answer[0] == 507
    assert "full" in answer[1]["error"]
    assert "remedy" in answer[1]
    assert process.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": taken}}
    assert process.events(event(number))[0] == 507
    process.kill()
    process.before = None
    process.start()
    assert process.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": taken}}
    assert process.events(event(number))[0] == 202


def test_a_second_collector_on_the_folder_is_refused(start):
    process = start()
    command = [sys.executable, "-m", "trimtab.bootstrap.collector", "--dir", str(process.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 4
    assert "another collector writes here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(start, tmp_path):
    process = start()
    command = [sys.executable, "-m", "trimtab.bootstrap.collector", "--dir", str(tmp_path / "other")]
    command += ["--http-port", str(process.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 4
    assert str(process.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stop_answers_what_it_took_and_ends_well(start):
    process = start()
    assert process.events(event(1))[0] == 202
    assert process.stop() == 0
    process.start()
    assert process.send("GET", "/v1/received")[1] == {"received": {"aaaaaaaa": 1}}


@pytest.mark.parametrize("body", [b"x" * 1_000])
def test_a_client_that_leaves_midway_hurts_nobody(start, body):
    process = start()
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n" + body)
    deadline = time.monotonic() + DEADLINE_S
    while process.events(event(1))[0] != 202:
        assert time.monotonic() < deadline

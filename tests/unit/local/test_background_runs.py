"""Runs beside the loop: started at once, found by key, gone on with after a kill, failed in words."""

import threading
import time
from pathlib import Path

from trimtab.adapters.kfp.at_work import AtWork
from trimtab.api.errors import SurroundingsFailed
from trimtab.local.background_runs import BackgroundRuns
from trimtab.ports.runs import Run, RunState


class Records:
    """What a real run writes to its folder, held in memory, and a gate that keeps a run running."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.gate = threading.Event()

    def run(self, key, parameters):
        self.runs[key] = Run(id=key, key=key, state=RunState.RUNNING)
        self.asked.append((key, dict(parameters)))
        assert self.gate.wait(60)
        self.runs[key] = Run(id=key, key=key, state=RunState.SUCCEEDED, version="2", passed=True)

    def background(self):
        return BackgroundRuns(self.run, self.runs.get, lambda key: {"until": f"recorded {key}"})


def eventually(done):
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_start_returns_at_once_and_the_run_is_found_until_it_ended():
    records = Records()
    runs = records.background()
    assert runs.find("k") is None
    assert runs.start("k", {"until": "u"}).state is RunState.PENDING
    assert runs.start("k", {"until": "u"}).state in (RunState.PENDING, RunState.RUNNING)
    records.gate.set()
    eventually(lambda: runs.find("k").state is RunState.SUCCEEDED)
    assert runs.start("k", {"until": "u"}).version == "2"
    assert records.asked == [("k", {"until": "u"})]


def test_one_that_another_process_is_at_work_on_is_looked_at_again():
    records = Records()
    records.runs["k"] = Run(id="k", key="k", state=RunState.RUNNING)
    tries = []

    def busy_once(key, parameters):
        tries.append(key)
        if len(tries) == 1:
            raise AtWork(Path("k"))
        records.runs[key] = Run(id=key, key=key, state=RunState.SUCCEEDED)

    runs = BackgroundRuns(busy_once, records.runs.get, lambda key: {})
    eventually(lambda: runs.find("k").state is RunState.SUCCEEDED)
    assert tries == ["k", "k"]


def test_one_run_at_a_time():
    records = Records()
    runs = records.background()
    runs.start("one", {})
    runs.start("two", {})
    eventually(lambda: len(records.asked) == 1)
    assert {runs.find("one").state, runs.find("two").state} == {RunState.RUNNING, RunState.PENDING}
    records.gate.set()
    eventually(lambda: all(runs.find(key).state is RunState.SUCCEEDED for key in ("one", "two")))


def test_what_a_killed_loop_left_running_is_gone_on_with_once():
    records = Records()
    records.runs["k"] = Run(id="k", key="k", state=RunState.RUNNING)
    runs = records.background()
    for _ in range(3):
        assert runs.find("k").state is RunState.RUNNING
    records.gate.set()
    eventually(lambda: runs.find("k").state is RunState.SUCCEEDED)
    assert records.asked == [("k", {"until": "recorded k"})]


def test_a_run_that_cannot_run_is_failed_with_the_reason_and_not_tried_for_ever():
    tries = []

    def broken(key, parameters):
        tries.append(key)
        raise SurroundingsFailed("the disk is full")

    runs = BackgroundRuns(broken, lambda _: None, lambda _: {})
    runs.start("k", {})
    eventually(lambda: runs.find("k").state is RunState.FAILED)
    assert runs.find("k").because == "the disk is full"
    assert runs.start("k", {}).state is RunState.FAILED
    assert tries == ["k"]


def test_a_run_that_broke_in_a_way_nobody_foresaw_is_failed_too_and_not_started_at_each_look(capsys):
    tries = []

    def broken(key, parameters):
        tries.append(key)
        raise BrokenPipeError(32, "Broken pipe")

    left_running = Run(id="k", key="k", state=RunState.RUNNING)
    runs = BackgroundRuns(broken, lambda _: left_running, lambda _: {})
    eventually(lambda: runs.find("k").state is RunState.FAILED)
    for _ in range(20):
        assert runs.find("k").because == "BrokenPipeError: [Errno 32] Broken pipe"
    assert tries == ["k"]
    assert "Traceback" in capsys.readouterr().err

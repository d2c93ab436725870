"""What watches beside the head ends once the pod that trains gives no sign any more."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from trimtab.adapters.kuberay.alive import ALIVE, beating, wait_for_silence


def test_it_waits_as_long_as_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, began, now = tmp_path / ALIVE, 100.0, 100.0

    def beat_on(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now <= began + 10:
            os.utime(file, ns=(0, int(now * 1e9)))

    file.touch()
    clock = SimpleNamespace(monotonic=lambda: now, sleep=beat_on)
    monkeypatch.setattr("trimtab.adapters.kuberay.alive.time", clock)
    wait_for_silence(tmp_path, silent_s=2.0, look_s=0.25)
    assert now == began + 12


def test_a_file_that_goes_is_silence_too_but_not_the_time_in_which_who_looks_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept, now = [], 100.0

    def stand_still_once(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += 60.0 if len(slept) == 1 else seconds

    clock = SimpleNamespace(monotonic=lambda: now, sleep=stand_still_once)
    monkeypatch.setattr("trimtab.adapters.kuberay.alive.time", clock)
    wait_for_silence(tmp_path / "gone", silent_s=2.0, look_s=0.25)
    assert slept == [0.25] * 7


def test_the_pod_that_trains_beats_until_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trimtab.adapters.kuberay.alive.EVERY_S", 0.02)
    file = tmp_path / ALIVE
    with beating(tmp_path):
        first, until = file.stat().st_mtime_ns, time.monotonic() + 60
        while file.stat().st_mtime_ns == first:
            assert time.monotonic() < until, "it does not beat"
            time.sleep(0.005)
    last = file.stat().st_mtime_ns
    time.sleep(0.1)
    assert file.stat().st_mtime_ns == last

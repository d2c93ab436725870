"""What is told of the machines that a training uses."""

import time
from collections.abc import Mapping
from threading import Semaphore, current_thread, main_thread
from threading import enumerate as enumerate_threads
from types import SimpleNamespace

import pytest


def test_workers_are_told_together_and_gpus_by_their_rank() -> None:
    from trimtab.steps.fitting.usage import Gpu, Usage, metrics

    told = metrics(
        [Usage(0.5, 100.0, 150.0, Gpu(2e3, 8e3, 90.0)), Usage(1.0, 200.0, 120.0, Gpu(4e3, 8e3, None))]
    )
    assert told == {
        "system/cpu_utilization_percentage": 150.0,
        "system/system_memory_usage_megabytes": 300.0,
        "system/peak_memory_megabytes": 150.0,
        "system/gpu_0_memory_usage_megabytes": 2e3,
        "system/gpu_0_memory_usage_percentage": 25.0,
        "system/gpu_0_utilization_percentage": 90.0,
        "system/gpu_1_memory_usage_megabytes": 4e3,
        "system/gpu_1_memory_usage_percentage": 50.0,
    }


def test_a_busy_core_is_told_from_one_that_waits() -> None:
    from trimtab.steps.fitting.usage import Meter

    meter = Meter()
    time.sleep(0.2)
    waited = meter.read()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    busy = meter.read()
    assert 0 <= waited.cores < busy.cores
    assert 10 < busy.memory_mb <= busy.peak_mb
    assert busy.gpu is None


def test_cores_are_processor_time_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.steps.fitting import usage

    at_s, cpu_s = iter((10.0, 14.0)), iter((1.0, 3.0))
    clock = SimpleNamespace(monotonic=lambda: next(at_s), process_time=lambda: next(cpu_s))
    monkeypatch.setattr(usage, "time", clock)
    assert usage.metrics([usage.Meter().read()])["system/cpu_utilization_percentage"] == 50.0


def test_a_block_is_told_of_when_it_begins_meanwhile_and_when_it_ends_though_it_fails() -> None:
    from trimtab.steps.fitting.usage import Meter, sampled

    told: list[str] = []
    again, failing = Semaphore(0), False

    def tell(system: Mapping[str, float]) -> None:
        assert 10 < system["system/system_memory_usage_megabytes"] <= system["system/peak_memory_megabytes"]
        told.append(f"{current_thread() is main_thread()} {failing}")
        again.release()

    def fail() -> None:
        nonlocal failing
        assert told[0] == "True False"
        assert all(again.acquire(timeout=60) for _ in range(3))
        failing = True
        raise ArithmeticError

    with pytest.raises(ArithmeticError), sampled(Meter(), tell, every_s=0.001):
        fail()
    assert told[1] == "False False"
    assert told[-1] == "True True"
    assert not any(thread.name == "usage" for thread in enumerate_threads())

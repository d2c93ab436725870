"""What the processes of a training use of their machines, by the names under which MLflow shows a system's use.

MLflow's own monitor is not taken: it tells of the whole machine, and ends for good where the server fails once, or
where the run has ended before, as that of a refit.
"""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

MB: Final = 2**20
STATM: Final = Path("/proc/self/statm")
EVERY_S: Final = 10.0
"""Between two looks, as between MLflow's own."""
Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Gpu:
    """The device that a process learns on, whoever else uses it.

    Attributes:
        busy: percent of the last moments; None where pynvml is not installed.
    """

    used_mb: float
    total_mb: float
    busy: float | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process.

    Attributes:
        cores: CPU cores that were busy for it, on the mean over the time that was asked about.
        memory_mb: resident now.
        peak_mb: resident at most, so far.
    """

    cores: float
    memory_mb: float
    peak_mb: float
    gpu: Gpu | None


class Meter:
    """Of this process, from one look to the next.

    Args:
        gpu: looks at the device that it learns on.
    """

    def __init__(self, gpu: Callable[[], Gpu | None] = lambda: None) -> None:
        self._gpu = gpu
        self._at_s, self._cpu_s = time.monotonic(), time.process_time()

    def read(self) -> Usage:
        """Since it was made, or read last."""
        now, cpu_s = time.monotonic(), time.process_time()
        cores = (cpu_s - self._cpu_s) / max(now - self._at_s, 1e-9)
        self._at_s, self._cpu_s = now, cpu_s
        held = resident_mb()
        peak = max(held, peak_mb())  # the kernel counts the two apart, to within pages
        return Usage(cores, held, peak, self._gpu())


def peak_mb() -> float:
    """Resident memory of this process at its highest."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def resident_mb() -> float:
    """Of this process now; the peak where the system has no word of it."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    except OSError:
        return peak_mb()


def metrics(each: Sequence[Usage]) -> Metrics:
    """All processes together; GPUs by the rank of who learns on them.

    The names are those of MLflow's own system metrics, which are of a whole machine. These are of the training alone:
    `cpu_utilization_percentage` is 100 for each core that is busy.
    """
    found = {
        "system/cpu_utilization_percentage": 100 * sum(one.cores for one in each),
        "system/system_memory_usage_megabytes": sum(one.memory_mb for one in each),
        "system/peak_memory_megabytes": max(one.peak_mb for one in each),
    }
    for rank, one in enumerate(each):
        if one.gpu is None:
            continue
        found[f"system/gpu_{rank}_memory_usage_megabytes"] = one.gpu.used_mb
        found[f"system/gpu_{rank}_memory_usage_percentage"] = 100 * one.gpu.used_mb / one.gpu.total_mb
        if one.gpu.busy is not None:
            found[f"system/gpu_{rank}_utilization_percentage"] = one.gpu.busy
    return found


@contextmanager
def sampled(meter: Meter, tell: Callable[[Metrics], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Tell what this process uses: at once, as long as the block runs in a thread beside it, and when it ends.

    Args:
        meter: made some time before, since what it tells at once is the use of that time.
        tell: is never called by two threads at once.
    """

    def look() -> None:
        tell(metrics([meter.read()]))

    def go_on() -> None:
        while not over.wait(every_s):
            look()

    over, beside = Event(), Thread(target=go_on, name="usage", daemon=True)
    look()
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()
        look()

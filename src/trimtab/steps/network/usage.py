"""What the processes of a training use of their machines, by the names under which MLflow shows a system's use."""

import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

MB: Final = 2**20
STATM: Final = Path("/proc/self/statm")


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
    """Of this process, from one look to the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._at_s, self._cpu_s = time.monotonic(), time.process_time()

    def read(self) -> Usage:
        """Since it was made, or read last."""
        now, cpu_s = time.monotonic(), time.process_time()
        cores = (cpu_s - self._cpu_s) / max(now - self._at_s, 1e-9)
        self._at_s, self._cpu_s = now, cpu_s
        held = resident_mb()
        peak = max(held, peak_mb())  # the kernel counts the two apart, to within pages
        return Usage(cores, held, peak, _gpu() if self._device.type == "cuda" else None)


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


def _gpu() -> Gpu:
    free, total = torch.cuda.mem_get_info()
    busy = None
    with suppress(Exception):  # pynvml is not there, or the driver does not tell it
        busy = float(torch.cuda.utilization())
    return Gpu((total - free) / MB, total / MB, busy)


def metrics(each: Sequence[Usage]) -> Mapping[str, float]:
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

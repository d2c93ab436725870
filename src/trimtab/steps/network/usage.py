"""What a network's process uses, its GPU included."""

from contextlib import suppress

import torch

from trimtab.steps.fitting.usage import MB, Gpu, Meter


def meter_on(device: torch.device) -> Meter:
    """Of this process, which learns on the device."""
    return Meter(_gpu) if device.type == "cuda" else Meter()


def _gpu() -> Gpu:
    free, total = torch.cuda.mem_get_info()
    busy = None
    with suppress(Exception):  # pynvml is not there, or the driver does not tell it
        busy = float(torch.cuda.utilization())
    return Gpu((total - free) / MB, total / MB, busy)

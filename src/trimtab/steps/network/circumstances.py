"""What a network learns with, as torch says it in the process that learns."""

import torch

from trimtab.steps.fitting.circumstances import Circumstances


def of_torch(device: torch.device) -> Circumstances:
    """Of this process, now.

    Args:
        device: on which it learns.
    """
    matmul = torch.get_float32_matmul_precision()
    return Circumstances(
        threads={"torch": str(torch.get_num_threads())},
        switches={
            "deterministic_algorithms": str(torch.are_deterministic_algorithms_enabled()).lower(),
            "cudnn.benchmark": str(torch.backends.cudnn.benchmark).lower(),
            "cudnn.deterministic": str(torch.backends.cudnn.deterministic).lower(),
            "float32_matmul_precision": matmul,
        },
        devices=(_name(device),),
    )


def _name(device: torch.device) -> str:
    """A GPU's name, or the instructions of the CPU that torch makes use of."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"cpu {torch.backends.cpu.get_cpu_capability()}"

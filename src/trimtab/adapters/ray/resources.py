"""What Ray has for so many processes, and what is said where it is too little."""

from collections.abc import Mapping
from typing import Any

from trimtab.adapters.ray.session import ADDRESS
from trimtab.api.errors import SurroundingsFailed


def on_gpus(
    there: Mapping[str, float], asked: str, count: int, cpus: int, device: str, *, here: bool
) -> bool:
    """Whether each worker has a GPU.

    Args:
        there: all that Ray has.
        here: Ray is this machine alone; a cluster may still grow.

    Raises:
        SurroundingsFailed: this machine has not what is asked for.
    """
    cores, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
    if here and device == "cuda" and gpus < count:
        raise SurroundingsFailed(
            f"{asked}, each with a GPU (training.device: cuda), but Ray finds {gpus} here",
            remedy=f"run where there are as many (`nvidia-smi` lists them), name a cluster in {ADDRESS}, or say "
            "training.device: auto",
        )
    if here and count * cpus > cores:
        raise SurroundingsFailed(
            f"{asked}, with training.threads: {cpus}, asks for {count * cpus} CPU cores, but this machine has {cores}",
            remedy=f"take at most {max(1, cores // cpus)}, or name a cluster in {ADDRESS}",
        )
    return device == "cuda" or (device == "auto" and gpus >= count)


def no_room(ray: Any, asked: str, cpus: int, gpus: bool, waited_s: float) -> SurroundingsFailed:
    there = ray.cluster_resources()
    each = f"{cpus} CPU{' and a GPU' if gpus else ''}"
    return SurroundingsFailed(
        f"{asked}, with {each} each: not all begin within {waited_s:.0f} s; all of Ray has "
        f"{there.get('CPU', 0):.0f} CPU and {there.get('GPU', 0):.0f} GPU",
        remedy="take fewer, or see by `ray status` what holds the others",
    )

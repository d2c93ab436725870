"""What this process runs on, and with: hardware, installed packages, and the switches that decide over bits."""

import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

import trimtab
from trimtab.api.provenance import Determinism, Hardware, Libraries

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "PYTHONHASHSEED",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
)


def hardware() -> Hardware:
    """The machine, as far as this process may use it."""
    return Hardware(
        cpu=_cpu(),
        architecture=platform.machine(),
        cores=_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        accelerators=_accelerators(),
    )


@cache
def libraries() -> Libraries:
    """Every installed package, and trimtab's own sources."""
    packages = {one.name: one.version for one in distributions()}
    listed = "\n".join(sorted(f"{name}=={version}" for name, version in packages.items()))
    return Libraries(
        digest=hashlib.sha256(listed.encode()).hexdigest()[:16],
        python=platform.python_version(),
        trimtab=_own_sources(),
        packages=dict(sorted(packages.items())),
    )


def determinism(seed: int) -> Determinism:
    """The switches as this process was given them; threads and torch's own are still to come, with the fit."""
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return Determinism(seed=seed, variables=variables)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _accelerators() -> tuple[str, ...]:
    """What the driver names; nothing where there is no driver, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        asked = subprocess.run(
            [program, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in asked.stdout.splitlines() if line.strip())


def _own_sources() -> str:
    root = Path(str(trimtab.__file__)).parent
    whole = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        whole.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return whole.hexdigest()[:16]

"""What a process says of the machine that it runs on, and of what it runs with."""

import os
import sys
from importlib.metadata import version

import pytest

from trimtab.adapters import machine


def test_libraries_are_those_installed_and_their_digest_is_the_same_every_time():
    found = machine.libraries()
    assert found.packages["numpy"] == version("numpy")
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    machine.libraries.cache_clear()
    assert machine.libraries() == found


def test_switches_are_those_that_are_set(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    found = machine.determinism(7)
    assert found.seed == 7
    assert found.variables["OMP_NUM_THREADS"] == "3"
    assert "PYTHONHASHSEED" not in found.variables


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H100 80GB HBM3'; echo 'NVIDIA H100 80GB HBM3'", ("NVIDIA H100 80GB HBM3",) * 2),
        ("echo 'no devices were found' >&2; exit 9", ()),
    ],
)
def test_accelerators_are_what_the_driver_names(tmp_path, monkeypatch, script, found):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.hardware().accelerators == found


def test_the_machine_has_a_name_cores_and_memory():
    found = machine.hardware()
    assert found.cpu
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert found.memory_bytes > 1 << 28

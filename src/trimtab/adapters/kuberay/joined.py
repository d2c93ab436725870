"""This pod as a node of a Ray cluster that gives nothing but its driver: `ray.init` wants a raylet of its own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trimtab.adapters.ray.session import ADDRESS, MARK, QUIET, STORE_BYTES, end_marked, environment
from trimtab.api.errors import SurroundingsFailed

START_S: Final = 120.0


@contextmanager
def joined(address: str, token: str, asked: str) -> Iterator[None]:
    """RAY_ADDRESS names the cluster until left; then no process of the node is left here.

    Raises:
        SurroundingsFailed: the node does not start.
    """
    mark = secrets.token_hex(8)
    given = {**QUIET, ADDRESS: address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    try:
        _start(address, {**given, MARK: mark}, asked)
        with environment(given):
            yield
    finally:
        end_marked(mark, grace_s=0.0)


def _start(address: str, given: dict[str, str], asked: str) -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}", "--num-cpus=0"]
    options = ["--num-gpus=0", f"--object-store-memory={STORE_BYTES}", "--disable-usage-stats"]
    quiet = ["--include-log-monitor=false"]
    try:
        done = subprocess.run(
            [*command, *options, *quiet],
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_S,
            check=False,
        )
        said = done.stdout.strip().splitlines()[-1:] if done.returncode else []
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = [f"nothing within {START_S:.0f} s"], True
    if failed:
        raise SurroundingsFailed(
            f"{asked}: this pod cannot join Ray at {address}: {' '.join(said)}",
            remedy="see that no NetworkPolicy keeps pods of this namespace from each other",
        )

"""A connection to Ray for the time of one task: a Ray of our own on this machine, or that of RAY_ADDRESS.

Our own listens on 127.0.0.1 alone, asks each caller for a token that this process draws, has no dashboard, and sends
nothing home. Nothing of it is left when the task is done: what does not end by itself is killed.
"""

import contextlib
import functools
import logging
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trimtab.adapters.processes.identity import marked, send_signal
from trimtab.api.errors import ExtraMissing, SurroundingsFailed

ADDRESS: Final = "RAY_ADDRESS"
MARK: Final = "TRIMTAB_RAY"
"""In the environment of every process of a Ray of ours, with a value of its own."""
LOOPBACK: Final = "127.0.0.1"
GRACE_S: Final = 10.0
STORE_BYTES: Final = 80 << 20
QUIET: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a thread of Ray Train's that is left over would connect anew
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, Ray would send the working folder to all nodes
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # a print is a print, which `output` brings to who runs it
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_ENABLE_STATE_ACTOR_RECONCILIATION": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "RAY_AIR_NEW_OUTPUT": "0",  # its new output says what it begins with, whatever `verbose` is
}
"""What Ray would do beside training: report, watch, and measure. A process less is a second less."""

ALONE: Final[Mapping[str, str]] = {
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what Ray does on these for their firewalls' sake: loopback alone
}
"""What a Ray of one machine needs to be closed to all others. It is read when ray is imported."""


@contextlib.contextmanager
def ray_session(wanted_for: str) -> Iterator[Any]:
    """Ray, connected.

    Raises:
        ExtraMissing: it is not installed.
        SurroundingsFailed: it does not start, or is not to be reached.
    """
    address = os.environ.get(ADDRESS, "")
    mark = secrets.token_hex(8)
    own = {} if address else {**ALONE, "RAY_AUTH_TOKEN": token(), MARK: mark}
    with environment({**QUIET, **own}), tempfile.TemporaryDirectory(prefix="ray-") as folder:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ExtraMissing("ray", wanted_for) from error
        ends = signal.getsignal(signal.SIGTERM)
        try:
            try:
                ray.init(**_options(address, folder))
            except Exception as error:
                where = f"Ray at {address} ({ADDRESS})" if address else "Ray on this machine"
                raise SurroundingsFailed(
                    f"{wanted_for}: {where} cannot be used: {str(error).strip().splitlines()[0]}",
                    remedy=f"see that this machine is a node of it, and has its token; or unset {ADDRESS}"
                    if address
                    else f"free some memory or disk, or name a cluster in {ADDRESS}",
                ) from error
            if callable(ends) and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, ends)  # Ray has put its own there
            yield ray
        finally:
            ray.shutdown()
            if not address:
                end_marked(mark)


@functools.cache
def token() -> str:
    """This process' own: Ray keeps the first one that it is given for as long as the process lives."""
    return os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)


def _options(address: str, folder: str) -> dict[str, Any]:
    quiet = {"log_to_driver": False, "configure_logging": True, "logging_level": logging.ERROR}
    if address:
        return {"address": address, **quiet}
    return {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_node_ip_address": LOOPBACK,
        "_temp_dir": folder,
        **quiet,
    }


def end_marked(mark: str, grace_s: float = GRACE_S) -> None:
    """Wait until every process of that Ray is gone, and kill what stays."""
    until = time.monotonic() + grace_s
    while left := list(marked(MARK, mark)):
        if time.monotonic() > until:
            for one in left:
                send_signal(one, signal.SIGKILL)
        time.sleep(0.05)


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process, until left."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

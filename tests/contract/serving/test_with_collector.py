"""The collector takes what the server logs, a kill of the collector included."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from trimtab.adapters.processes.loopback import reserve

from .conftest import REVISION, Start, columns, eventually, v2

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def collector(tmp_path: Path):
    """Starts a collector on one port and directory, again and again."""
    reserved = reserve("collector")
    processes: list[subprocess.Popen[bytes]] = []

    def started() -> tuple[subprocess.Popen[bytes], str]:
        log = tmp_path / f"collector-{len(processes)}.log"
        command = [sys.executable, "-m", "trimtab.bootstrap.collector", "--dir", str(tmp_path / "collector")]
        with log.open("wb") as out:
            process = subprocess.Popen([*command, "--http-port", str(reserved.port)], stdout=out, stderr=out)
        processes.append(process)
        eventually(lambda: re.search(r"collector at http", log.read_text()), 60)
        return process, f"http://127.0.0.1:{reserved.port}"

    yield started
    for process in processes:
        process.kill()
        process.wait()
    reserved.close()


def received(url: str) -> int:
    with urllib.request.urlopen(f"{url}/v1/received", timeout=10) as answer:
        found = re.search(rf'"{REVISION}": ?(\d+)', answer.read().decode())
    return int(found[1]) if found else 0


def test_every_event_arrives_once_though_the_collector_is_killed(start: Start, online: Path, collector):
    process, url = collector()
    server = start("--online", str(online), "--sink", f"{url}/")
    for number in range(120):
        request = v2(columns(flight_id=[f"a{number}", f"b{number}"]))
        request["inputs"][-1]["datatype"] = "BYTES"
        assert server.infer(request).status == 200
        if number == 40:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        if number == 80:
            process, url = collector()
    assert server.infer(b"{}").status == 400
    eventually(lambda: server.logged() == {"handled": 121, "logged": 121, "dropped": 0, "in_flight": 0})
    assert received(url) == 121
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        assert REVISION in answer.read().decode()

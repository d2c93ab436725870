"""The plane with its real parts: supervisor, Envoy, collector and model servers of a small real model."""

import http.client
import importlib.util
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trimtab.adapters.processes.identity import identify, is_alive, marked
from trimtab.adapters.processes.loopback import reserve
from trimtab.adapters.processes.record import MARK
from trimtab.adapters.processes.record import read as read_record
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.local.plane import Plane
from trimtab.ports.gateway import Split
from trimtab.ports.servers import Revision, ServerState, Warmed

pytestmark = pytest.mark.xdist_group("plane")

MODEL = "flights"
STABLE, CANDIDATE = "aaaa1111", "bbbb2222"
ROW = {
    "scheduled_departure": "2013-07-01T12:00:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "distance": 500,
    "holiday": False,
}


V2 = json.dumps(
    {
        "inputs": [
            {"name": name, "shape": [1], "datatype": datatype, "data": [ROW[name]]}
            for name, datatype in zip(ROW, ("BYTES", "BYTES", "BYTES", "FP64", "BOOL"), strict=True)
        ]
    }
)


def eventually(done, within_s=180.0):
    deadline = time.monotonic() + within_s
    while not (result := done()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The small model folder of the server's own tests, with sample rows."""
    path = Path(__file__).parents[1] / "serving" / "conftest.py"
    spec = importlib.util.spec_from_file_location("serving_parts", path)
    parts = importlib.util.module_from_spec(spec)
    sys.modules["serving_parts"] = parts
    spec.loader.exec_module(parts)
    folder = parts.build_folder(tmp_path_factory.mktemp("model") / "folder")
    (folder / "samples.json").write_text(json.dumps([ROW, {**ROW, "carrier": "AA"}]))
    parts.write_manifest(folder)
    return folder


def serve(plane, folder, *revisions, wait=True):
    for revision in revisions:
        plane.servers.ensure(MODEL, Revision(revision, "1", str(folder), "d" * 64))
    if wait:
        for revision in revisions:
            eventually(lambda name=revision: plane.servers.observed()[name].state is ServerState.READY)


def ask(plane, times=1, headers=None):
    """Statuses and revisions that answered."""
    connection = http.client.HTTPConnection(plane.url.removeprefix("http://"), timeout=20)
    given = []
    for _ in range(times):
        connection.request("POST", f"/v2/models/{MODEL}/infer", V2, headers or {})
        answer = connection.getresponse()
        told = answer.read()
        given.append((answer.status, json.loads(told)["model_version"] if answer.status == 200 else told))
    connection.close()
    return given


def leftovers(plane):
    return list(marked(MARK, read_record(plane.directory / "children.json").mark))


def kill_supervisor(plane):
    supervisor = identify(plane.control.pid())
    os.kill(supervisor.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisor))


@pytest.fixture
def plane(tmp_path):
    plane = Plane(tmp_path / ".trimtab", MODEL, timeout_s=20)
    yield plane
    plane.down()
    assert leftovers(plane) == []


def test_revisions_are_served_split_mirrored_killed_and_retired(plane, folder):
    """One plane for all of it: model servers take seconds to start."""
    plane.up()
    before = [child.pid for child in plane.status()]
    plane.up()
    assert [child.pid for child in plane.status()] == before
    assert plane.gateway.split(MODEL) is None
    assert plane.curl() is None

    serve(plane, folder, STABLE, CANDIDATE)
    assert plane.servers.warm(STABLE, 5) == Warmed(5)
    plane.gateway.apply(MODEL, Split({STABLE: 100}, CANDIDATE, 100))
    assert ask(plane, 20) == [(200, STABLE)] * 20
    row = json.loads(shlex.split(plane.curl())[-1])
    assert row == {"instances": [ROW]}

    from trimtab.adapters.collector import Collector

    collector = Collector(plane.collector_url)
    eventually(lambda: collector.received() == {STABLE: 20, CANDIDATE: 20})
    collector.close()

    killed = next(child for child in plane.status() if child.labels.get("revision") == STABLE)
    os.kill(killed.pid, signal.SIGKILL)
    eventually(lambda: plane.servers.observed()[STABLE].restarts == 1)
    eventually(lambda: plane.servers.observed()[STABLE].state is ServerState.READY)
    assert ask(plane, 3) == [(200, STABLE)] * 3

    envoy = next(child for child in plane.status() if child.name == "envoy")
    os.kill(envoy.pid, signal.SIGKILL)
    eventually(lambda: next(c for c in plane.control.children() if c.name == "envoy").restarts == 1)
    plane.gateway.apply(MODEL, Split({STABLE: 50, CANDIDATE: 50}))
    draws = [(200, CANDIDATE if draw >= 50 else STABLE) for draw in (0, 49, 50, 99)]
    assert [ask(plane, headers={"x-trimtab-draw": str(d)})[0] for d in (0, 49, 50, 99)] == draws

    plane.gateway.apply(MODEL, Split({CANDIDATE: 100}))
    plane.servers.retire(STABLE)
    plane.servers.retire(STABLE)
    assert set(plane.servers.observed()) == {CANDIDATE}
    assert ask(plane) == [(200, CANDIDATE)]
    assert all(child.memory_mb > 1 for child in plane.status())


def test_after_a_killed_supervisor_up_starts_clean_on_the_same_ports_with_the_same_split(plane, folder):
    plane.up()
    serve(plane, folder, STABLE)
    plane.gateway.apply(MODEL, Split({STABLE: 100}))
    url, server, collector = plane.url, plane.server_url(STABLE), plane.collector_url
    old = [identify(child.pid) for child in plane.status()]
    kill_supervisor(plane)
    plane.up()
    assert not any(is_alive(identity) for identity in old)
    assert plane.servers.observed() == {}
    assert plane.gateway.split(MODEL) == Split({STABLE: 100})
    serve(plane, folder, STABLE)
    assert (plane.url, plane.server_url(STABLE), plane.collector_url) == (url, server, collector)
    assert ask(plane) == [(200, STABLE)]


def test_down_after_a_killed_supervisor_ends_the_rest(plane):
    plane.up()
    kill_supervisor(plane)
    plane.down()
    assert leftovers(plane) == []
    plane.down()


def test_two_projects_do_not_touch_each_other(plane, folder, tmp_path):
    other = Plane(tmp_path / "other" / ".trimtab", "churn")
    try:
        plane.up()
        other.up()
        serve(plane, folder, STABLE)
        plane.gateway.apply(MODEL, Split({STABLE: 100}))
        assert other.gateway.split("churn") is None
        other.down()
        assert ask(plane) == [(200, STABLE)]
    finally:
        other.down()


def test_a_server_whose_model_cannot_be_read_says_so(plane, folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "plan.json").write_text("{}")
    plane.up()
    serve(plane, broken, CANDIDATE, wait=False)
    seen = eventually(
        lambda: (s := plane.servers.observed()[CANDIDATE]).state is ServerState.NOT_READY and s.restarts and s
    )
    assert "exited with status 2" in seen.message
    assert "plan.json" in seen.message
    assert not plane.servers.warm(CANDIDATE, 3).answered
    assert plane.servers.warm("00000000", 3) == Warmed(0, "no server yet")


def test_a_taken_gateway_port_is_told_and_nothing_stays(plane):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(
            SurroundingsFailed, match=f"port {port} for envoy is taken by process {os.getpid()}"
        ):
            plane.up(port)
    assert not plane.control.is_up()
    assert leftovers(plane) == []


def test_another_port_moves_the_gateway(plane):
    plane.up()
    first = plane.url
    held = reserve("envoy")
    plane.up(held.port)
    assert plane.url == f"http://127.0.0.1:{held.port}" != first
    held.close()


def test_a_plane_ends_with_the_process_that_asked_for_it(plane, tmp_path):
    code = (
        "import os, sys, time; from pathlib import Path; from trimtab.local.plane import Plane;"
        "Plane(Path(sys.argv[1]), 'flights').up(tie_to=os.getpid()); print('up', flush=True); time.sleep(600)"
    )
    arguments = [sys.executable, "-c", code, str(plane.home.path)]
    demo = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert demo.stdout.readline() == "up\n"
    children = [identify(child.pid) for child in plane.status()]
    demo.kill()
    demo.wait()
    demo.stdout.close()
    eventually(lambda: not any(is_alive(identity) for identity in children))
    eventually(lambda: not plane.control.is_up())


def test_two_that_start_the_same_plane_at_once_share_it(plane):
    with ThreadPoolExecutor(2) as pool:
        again = Plane(plane.home.path, MODEL)
        for done in [pool.submit(one.up) for one in (plane, again)]:
            done.result()
    assert plane.url == again.url
    assert [child.name for child in plane.status()] == ["collector", "envoy"]
    again.down()
    assert not plane.control.is_up()


def test_logs_are_found_by_name(plane):
    plane.up()
    assert "trimtab collector at" in plane.log_file("collector").read_text()
    with pytest.raises(InputRefused, match="one of: collector, envoy, supervisor"):
        plane.log_file("nobody")
    plane.clean()
    assert not plane.directory.exists()

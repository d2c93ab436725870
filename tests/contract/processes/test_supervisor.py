"""The supervisor and its children, as real processes: nothing is left behind, nothing foreign is hurt."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trimtab.adapters.processes import ChildSpec, ChildState, Control
from trimtab.adapters.processes import record as records
from trimtab.adapters.processes.control import PlaneDown
from trimtab.adapters.processes.identity import Identity, boot_id, identify, is_alive, send_signal
from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("processes")

SLEEPER = (sys.executable, "-S", "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)
WEB = (
    sys.executable,
    "-S",
    "-c",
    "import http.server as h, sys;"
    "h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()",
    "{port}",
)
FAMILY = (
    sys.executable,
    "-S",
    "-c",
    "import os, subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
    "print('grandchild', child.pid, flush=True); time.sleep(600)",
)

MOODY = (
    sys.executable,
    "-S",
    "-c",
    """
import http.server, pathlib, sys

class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path(sys.argv[2])
        plan = file.read_text()
        if plan:
            file.with_suffix(".rest").write_text(plan[1:])
            file.with_suffix(".rest").replace(file)
        self.send_response(503 if plan[:1] == "n" else 200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
""",
    "{port}",
)
"""Answers as a file plans it: `n` for no."""


def eventually(done, within_s=60.0):
    deadline = time.monotonic() + within_s
    while not (result := done()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)
    return result


class Plane:
    """A supervisor in a folder, as `trimtab up` would start it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.control = Control(directory)
        self.process: subprocess.Popen[bytes] | None = None
        self.started: list[Identity] = []

    def start(self) -> Control:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trimtab.local.supervisor", str(self.directory)],
            start_new_session=True,
        )
        eventually(self.control.is_up)
        return self.control

    def child(self, name):
        return next((child for child in self.control.children() if child.name == name), None)

    def wait(self, name, state=ChildState.READY):
        eventually(lambda: (child := self.child(name)) and child.state is state)
        child = self.child(name)
        if child.pid:
            self.started.append(identify(child.pid))
        return child

    def log(self, name):
        """What a child wrote so far; nothing before it was started."""
        path = self.directory / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.process:
            self.process.wait(20)
        assert not any(is_alive(identity) for identity in self.started if identity)


@pytest.fixture
def plane(tmp_path):
    deep = tmp_path / ("a-deep-folder-" * 8) / "plane"
    deep.mkdir(parents=True)
    plane = Plane(deep)
    plane.start()
    yield plane
    plane.close()


def test_a_child_runs_until_it_is_stopped(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    child = plane.wait("one")
    who = identify(child.pid)
    plane.control.stop("one")
    assert not is_alive(who)
    assert plane.control.children() == []
    plane.control.stop("one")


def test_the_same_order_twice_is_one_child_and_another_one_replaces_it(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    first = plane.wait("one").pid
    plane.control.start(ChildSpec("one", SLEEPER))
    assert plane.child("one").pid == first
    plane.control.start(ChildSpec("one", (*SLEEPER, "other")))
    assert plane.wait("one").pid != first
    assert len(plane.control.children()) == 1


def test_what_dies_is_started_again_with_growing_pauses_and_its_last_words_are_told(plane):
    dying = (sys.executable, "-S", "-c", "print('no such model'); raise SystemExit(3)")
    plane.control.start(ChildSpec("dying", dying))
    child = eventually(
        lambda: (
            (held := plane.child("dying"))
            and held.restarts >= 3
            and held.state is ChildState.NOT_READY
            and held
        )
    )
    assert "exited with status 3" in child.message
    assert "no such model" in child.message


def test_a_killed_child_comes_back_on_its_port(plane):
    plane.control.start(ChildSpec("web", WEB, wants_port=0, ready_path="/"))
    before = plane.wait("web")
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: plane.child("web").restarts == 1)
    after = plane.wait("web")
    assert after.pid != before.pid
    assert after.port == before.port


def test_a_program_that_does_not_exist_is_reported(plane):
    plane.control.start(ChildSpec("none", ("no-such-program",)))
    assert "no-such-program" in plane.wait("none", ChildState.NOT_READY).message


def test_a_child_that_never_gets_ready_is_reported_with_its_last_words(plane):
    words = (
        sys.executable,
        "-S",
        "-c",
        "import time; print('loading for ever', flush=True); time.sleep(600)",
    )
    plane.control.start(ChildSpec("hung", words, wants_port=0, ready_path="/", start_within_s=0.2))
    child = eventually(lambda: (held := plane.child("hung")) and "loading for ever" in held.message and held)
    plane.started.append(identify(child.pid))
    assert child.state is ChildState.NOT_READY
    assert "not ready 0.2 s after its start" in child.message
    assert child.restarts == 0


@pytest.mark.parametrize(("plan", "seen"), [("ny", False), ("nny", True)])
def test_one_missed_answer_is_a_busy_child_and_two_are_one_that_is_not_ready(plane, tmp_path, plan, seen):
    file = tmp_path / "plan"
    file.write_text("")
    plane.control.start(ChildSpec("moody", (*MOODY, str(file)), wants_port=0, ready_path="/"))
    plane.wait("moody")
    began = time.monotonic()
    making = tmp_path / "making"
    making.write_text(plan)
    making.replace(file)
    eventually(lambda: not file.read_text())
    child = plane.wait("moody")
    assert (child.since_s < time.monotonic() - began) == seen, "since it was ready, without a break or anew"


def test_a_child_that_hears_nothing_is_ended_after_its_drain(plane):
    plane.control.start(ChildSpec("deaf", STUBBORN, drain_s=0.3))
    who = identify(plane.wait("deaf").pid)
    eventually(lambda: "deaf" in plane.log("deaf"))
    plane.control.stop("deaf")
    assert not is_alive(who)


def test_children_of_children_end_with_them(plane):
    plane.control.start(ChildSpec("family", FAMILY))
    plane.wait("family")
    grandchild = identify(int(eventually(lambda: plane.log("family")).split()[1]))
    assert is_alive(grandchild)
    plane.control.stop("family")
    eventually(lambda: not is_alive(grandchild))


def test_shutdown_ends_all(plane):
    for number in range(3):
        plane.control.start(ChildSpec(f"child-{number}", SLEEPER))
        plane.wait(f"child-{number}")
    plane.control.shutdown()
    assert not any(is_alive(identity) for identity in plane.started)
    plane.process.wait(60)
    with pytest.raises(PlaneDown):
        plane.control.children()


def test_what_the_others_need_ends_after_them(plane):
    orderly = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), print('ended', time.monotonic(), flush=True), sys.exit())); print('up', flush=True); time.sleep(600)"  # fmt: skip  # noqa: E501
    argv = (sys.executable, "-S", "-c", orderly)
    plane.control.start(ChildSpec("needed", argv, ends_last=True))
    for name in ("one", "two"):
        plane.control.start(ChildSpec(name, argv))
    names = ("one", "two", "needed")
    for name in names:
        eventually(lambda name=name: "up" in plane.log(name))
    plane.control.shutdown()
    ends = [float(plane.log(name).split()[-1]) for name in names]
    assert ends[2] > max(ends[:2]) + 0.25


def test_a_killed_supervisor_takes_its_children_along_and_the_next_one_ends_what_stayed(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    plane.control.start(ChildSpec("deaf", STUBBORN))
    plane.control.start(ChildSpec("family", FAMILY))
    for name in ("one", "deaf", "family"):
        plane.wait(name)
    eventually(lambda: "deaf" in plane.log("deaf"))
    grandchild = identify(int(eventually(lambda: plane.log("family")).split()[1]))
    one, deaf, _ = plane.started[-3:]
    plane.process.kill()
    plane.process.wait()
    eventually(lambda: not is_alive(one))
    assert is_alive(deaf)
    assert is_alive(grandchild)
    records_file = plane.directory / "children.json"
    assert deaf.pid in [held["pid"] for held in json.loads(records_file.read_text())["children"].values()]
    plane.start()
    assert not is_alive(deaf)
    assert not is_alive(grandchild)
    assert plane.control.children() == []


def test_ports_outlive_a_killed_supervisor(plane):
    plane.control.start(ChildSpec("web", WEB, wants_port=0, ready_path="/"))
    port = plane.wait("web").port
    plane.process.kill()
    plane.process.wait()
    plane.start()
    plane.control.start(ChildSpec("web", WEB, wants_port=0, ready_path="/"))
    assert plane.wait("web").port == port


def test_a_second_supervisor_of_the_same_folder_steps_back(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    first = plane.wait("one").pid
    second = subprocess.run(
        [sys.executable, "-P", "-m", "trimtab.local.supervisor", str(plane.directory)],
        timeout=60,
        check=False,
    )
    assert second.returncode == 0
    assert plane.child("one").pid == first


def test_a_taken_port_is_refused_with_who_holds_it(plane):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(
            SurroundingsFailed, match=rf"port {port} for web is taken by process {os.getpid()}"
        ):
            plane.control.start(ChildSpec("web", WEB, wants_port=port, ready_path="/"))
    assert plane.control.children() == []


def test_the_plane_ends_with_the_process_that_it_is_tied_to(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    who = identify(plane.wait("one").pid)
    demo = subprocess.Popen(SLEEPER)
    plane.control.tie(demo.pid)
    demo.kill()
    demo.wait()
    plane.process.wait(60)
    assert not is_alive(who)


def test_the_plane_ends_when_its_folder_is_taken_away(plane):
    plane.control.start(ChildSpec("one", SLEEPER))
    who = identify(plane.wait("one").pid)
    plane.directory.rename(plane.directory.with_name("gone"))
    plane.process.wait(60)
    assert not is_alive(who)


def test_an_order_that_cannot_be_read_is_answered_and_the_supervisor_lives(plane):
    folder = os.open(plane.directory, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(f"/proc/self/fd/{folder}/control.sock")
        line.sendall(b"not json\n")
        assert b"error" in line.recv(4096)
    os.close(folder)
    assert plane.control.is_up()


def test_without_a_supervisor_the_remedy_is_told(tmp_path):
    with pytest.raises(PlaneDown, match="trimtab up"):
        Control(tmp_path / "nowhere").children()
    assert not Control(tmp_path).is_up()


class TestIdentity:
    def test_a_process_of_another_start_is_never_signalled(self):
        bystander = subprocess.Popen(SLEEPER)
        real = identify(bystander.pid)
        for other in (
            Identity(real.pid, real.started - 1, real.boot),
            Identity(real.pid, real.started, "another boot"),
        ):
            assert not send_signal(other, signal.SIGKILL)
            assert records.sweep(records.Record(children={"old": other}), 0.1) == []
        assert bystander.poll() is None
        assert send_signal(real, signal.SIGKILL)
        bystander.wait()
        assert not send_signal(real, signal.SIGKILL)
        assert identify(bystander.pid) is None

    def test_a_sweep_ends_only_what_carries_the_mark(self):
        record = records.Record()
        environment = {**os.environ, records.MARK: record.mark}
        ours = subprocess.Popen(SLEEPER, env=environment)
        foreign = subprocess.Popen(SLEEPER, env={**os.environ, records.MARK: "f" * 32})
        swept: list[int] = []
        eventually(lambda: swept.extend(records.sweep(record, 0.0)) or swept)
        assert swept == [ours.pid]
        assert ours.wait() < 0
        assert foreign.poll() is None
        foreign.kill()
        foreign.wait()

    def test_a_record_that_cannot_be_read_is_a_fresh_one(self, tmp_path):
        (tmp_path / "children.json").write_text("{half")
        assert records.read(tmp_path / "children.json").children == {}

    def test_a_record_is_read_as_it_was_written(self, tmp_path):
        record = records.Record(children={"one": Identity(7, 8, boot_id())}, ports={"one": 9})
        records.write(tmp_path / "children.json", record)
        assert records.read(tmp_path / "children.json") == record


def test_what_feast_sets_for_its_own_metrics_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.processes.launch import launch

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setenv("TOLD", "to children")
    log = tmp_path / "log"
    child = launch([sys.executable, "-S", "-c", "import os; print(dict(os.environ))"], {}, log)
    assert child.wait(30) == 0
    assert "PROMETHEUS" not in log.read_text()
    assert "to children" in log.read_text()

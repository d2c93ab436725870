"""The whole demo killed, and started again where it was."""

import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.xdist_group("local")


def eventually(done, within_s=120.0):
    deadline = time.monotonic() + within_s
    while not (found := done()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.05)
    return found


@pytest.fixture
def start(full, tmp_path):
    """Starts the demo in one folder; what it says goes to a file."""
    started = []

    def one():
        told = tmp_path / f"told-{len(started)}"
        with told.open("wb") as output:
            command = [
                full.folder / "bin" / "trimtab",
                "demo",
                "--span",
                "short",
                "--folder",
                tmp_path / "demo",
            ]
            started.append(
                subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    env=full.environment,
                    stdout=output,
                    stderr=output,
                    # As from a terminal: a suite that a script started in the background ignores interrupts.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            )
        return started[-1], told

    yield one
    for process in started:
        process.kill()
        process.wait()


def test_killed_it_leaves_nothing_running_and_the_next_one_starts_clean(full, start, tmp_path):
    killed, told = start()
    eventually(lambda: b"reading" in told.read_bytes())
    assert len(full.processes()) > 3, "gateway, collector and pipeline host are there"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    eventually(lambda: full.processes() == [])

    again, told = start()
    eventually(lambda: b"reading" in told.read_bytes())
    assert b"starts clean" in told.read_bytes()
    again.send_signal(signal.SIGINT)
    assert again.wait(300) == 130
    assert b"Traceback" not in told.read_bytes()
    eventually(lambda: full.processes() == [])


def test_a_folder_that_holds_something_else_is_left_alone(full, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    done = full.trimtab("demo", "--span", "short", "--folder", str(folder), cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "thesis.tex" in done.stderr
    assert (folder / "thesis.tex").read_text() == "years of work"

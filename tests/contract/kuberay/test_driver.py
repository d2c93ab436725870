"""The driver of a RayJob in a process of its own, and who waits for it, over a folder that both see."""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.kuberay.alive import beating
from trimtab.adapters.kuberay.callbacks import BEGAN, RESULT, SAY, Remote, Served
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import DataRefused, ExitStatus

PATIENCE_S = 60.0
Work = Callable[[Path, Remote, Callable[[str], None]], None]


class Job:
    """A driver's process, and what was heard of it."""

    def __init__(
        self, folder: Path, work: Work | None, silent_s: float = 0.0, **functions: Callable[..., Any]
    ) -> None:
        self.heard: list[Any] = []
        self.room = Room(folder)
        if work is not None:
            self.room.put(TASK, work)
        self.known = {SAY: self.heard.append, BEGAN: lambda: None, **functions}
        self.served = Served(folder)
        command = [sys.executable, "-m", "trimtab.adapters.kuberay.driver", str(folder)]
        if silent_s:
            code = f"from trimtab.adapters.kuberay.driver import main; main([{str(folder)!r}], {silent_s})"
            command = [sys.executable, "-c", code]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self) -> int:
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until
            self.served.serve(self.known)
            time.sleep(0.02)
        self.served.serve(self.known)
        return self.process.returncode


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    begun: list[Job] = []

    def begin(work: Work | None, silent_s: float = 0.0, **functions: Callable[..., Any]) -> Job:
        begun.append(Job(tmp_path, work, silent_s, **functions))
        return begun[-1]

    yield begin
    for job in begun:
        job.process.kill()
        job.process.communicate()


def test_it_calls_who_waits_in_order_and_leaves_its_result(begin: Callable[..., Job]) -> None:
    def work(folder: Path, remote: Remote, say: Callable[[str], None]) -> None:
        say("begins")
        doubled = [remote.ask("double", number) for number in (1, 2, None)]
        Room(folder).put(RESULT, (doubled, os.getpid()))
        say("ends")

    job = begin(work, double=lambda number: job.heard.append(number) or (number and 2 * number))
    assert job.ended() == 0
    assert job.heard == ["begins", 1, 2, None, "ends"]
    assert job.room.has(ANSWER)
    assert job.room.get(RESULT) == ([2, 4, None], job.process.pid)
    assert job.served.calls == 6, "and that it began"
    assert job.process.communicate()[0] == "begins\nends\n", "the job's log has it too"


def test_what_a_person_must_know_of_keeps_its_kind_and_its_remedy(begin: Callable[..., Job]) -> None:
    def work(*_: Any) -> Any:
        raise DataRefused("column 'x' holds text", remedy="mend it")

    job = begin(work)
    assert job.ended() == ExitStatus.INPUT
    failure = job.room.get(FAILURE)
    assert (type(failure), failure.message, failure.remedy) == (
        DataRefused,
        "column 'x' holds text",
        "mend it",
    )
    assert not job.room.has(ANSWER)


def test_a_bug_is_told_and_its_traceback_is_in_the_jobs_log(begin: Callable[..., Job]) -> None:
    job = begin(lambda *_: 1 / 0)
    assert job.ended() == 1
    assert "division by zero" in str(job.room.get(FAILURE))
    assert "Traceback" in job.process.communicate()[1]


def test_a_head_that_does_not_see_the_volume_says_so(begin: Callable[..., Job]) -> None:
    job = begin(None)
    assert job.ended() == ExitStatus.SURROUNDINGS
    assert "is not to be seen here" in job.process.communicate()[1]


def test_what_a_function_raises_is_its_callers_and_the_driver_waits_to_be_ended(
    begin: Callable[..., Job],
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    job = begin(lambda folder, remote, say: remote.ask("full"), full=full)
    with pytest.raises(OSError, match="No space left"):
        job.ended()
    assert job.process.poll() is None
    assert not job.room.has(ANSWER)
    assert not job.room.has(FAILURE)


@pytest.mark.parametrize("alive", [True, False])
def test_it_ends_once_nothing_is_heard_of_who_waits(
    begin: Callable[..., Job], tmp_path: Path, alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.adapters.kuberay.alive.EVERY_S", 0.1)

    def work(*_: Any) -> None:
        time.sleep(6.0 if alive else 600.0)

    with beating(tmp_path) if alive else nullcontext():
        job = begin(work, silent_s=2.0)
        assert job.ended() == (0 if alive else ExitStatus.SURROUNDINGS)
    assert job.room.has(ANSWER) == alive
    assert ("nothing is heard of who waits for 2 s" in job.process.communicate()[1]) == (not alive)


def test_a_result_that_the_disk_does_not_take_is_told(begin: Callable[..., Job]) -> None:
    def work(folder: Path, *_: Any) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, 1 << 12))
        Room(folder).put(RESULT, b"x" * (1 << 16))

    job = begin(work)
    assert job.ended() == ExitStatus.SURROUNDINGS
    assert "cannot be written (File too large)" in str(job.room.get(FAILURE))
    assert not job.room.has(RESULT)


def test_a_function_passes_through_a_process_that_lacks_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "only_there.py").write_text("def triple(number):\n    return 3 * number\n")
    sealed, passed = tmp_path / "sealed", tmp_path / "passed"
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    code = (
        "import pickle, pathlib, only_there; from trimtab.adapters.kuberay.sealed import Sealed; "
        f"pathlib.Path({str(sealed)!r}).write_bytes(pickle.dumps(Sealed.of(only_there.triple)))"
    )
    subprocess.run([sys.executable, "-c", code], env=where, check=True)
    passed.write_bytes(pickle.dumps(pickle.loads(sealed.read_bytes())))
    code = f"import pickle, pathlib; print(pickle.loads(pathlib.Path({str(passed)!r}).read_bytes())(4))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=where, check=True, text=True, stdout=subprocess.PIPE
    )
    assert done.stdout == "12\n"

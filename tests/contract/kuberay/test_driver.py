"""The driver of a RayJob in a process of its own, and who waits for it, over a folder that both see."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.kuberay.callbacks import BEGAN, SAY, Remote, Served
from trimtab.adapters.kuberay.sealed import Sealed
from trimtab.adapters.ray.room import ANSWER, FAILURE, TASK, Room
from trimtab.api.errors import DataRefused, ExitStatus

PATIENCE_S = 60.0
Work = Callable[[Path, Remote, Callable[[str], None]], Any]


class Job:
    """A driver's process, and what was heard of it."""

    def __init__(self, folder: Path, work: Work | None, **functions: Callable[..., Any]) -> None:
        self.heard: list[Any] = []
        self.room = Room(folder)
        if work is not None:
            self.room.put(TASK, work)
        known = {SAY: self.heard.append, BEGAN: lambda: None, **functions}
        self.served = Served(folder, known)
        command = [sys.executable, "-m", "trimtab.adapters.kuberay.driver", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self) -> int:
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until
            self.served.serve()
            time.sleep(0.02)
        self.served.serve()
        return self.process.returncode


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    begun: list[Job] = []

    def begin(work: Work | None, **functions: Callable[..., Any]) -> Job:
        begun.append(Job(tmp_path, work, **functions))
        return begun[-1]

    yield begin
    for job in begun:
        job.process.kill()
        job.process.communicate()


def test_it_calls_who_waits_in_order_and_leaves_its_answer(begin: Callable[..., Job]) -> None:
    def work(folder: Path, remote: Remote, say: Callable[[str], None]) -> Any:
        say("begins")
        doubled = [remote.ask("double", number) for number in (1, 2, None)]
        say("ends")
        return doubled, os.getpid()

    job = begin(work, double=lambda number: job.heard.append(number) or (number and 2 * number))
    assert job.ended() == 0
    assert job.heard == ["begins", 1, 2, None, "ends"]
    doubled, pid = job.room.get(ANSWER)
    assert (doubled, pid) == ([2, 4, None], job.process.pid)
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


def test_a_function_passes_through_a_process_that_lacks_what_it_imports(tmp_path: Path) -> None:
    import pickle

    (tmp_path / "only_there.py").write_text("def triple(number):\n    return 3 * number\n")
    sys.path.insert(0, str(tmp_path))
    try:
        from only_there import triple  # type: ignore[import-not-found]  # made above

        passed = pickle.dumps(Sealed.of(triple))
        sys.path.remove(str(tmp_path))
        del sys.modules["only_there"]
        again = pickle.dumps(pickle.loads(passed))
        sys.path.insert(0, str(tmp_path))
        assert pickle.loads(again)(4) == 12
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("only_there", None)

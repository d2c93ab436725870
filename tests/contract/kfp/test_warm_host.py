"""The compiled IR runs in children of a warm host; the seam in kfp.local is where we think it is."""

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("kfp")

PIPELINE = """
from typing import NamedTuple
from kfp import compiler, dsl


@dsl.component(base_image="trimtab:0.1.0", install_kfp_package=False)
def judge(word: str, out: dsl.Output[dsl.Dataset]) -> NamedTuple("Judged", [("passed", bool)]):
    from collections import namedtuple

    with open(out.path, "w") as file:
        file.write(word)
    if word == "raise":
        raise RuntimeError("as asked")
    if word == "refuse":
        from trimtab.api.errors import DataRefused

        raise DataRefused("column 'x' holds text", remedy="mend column 'x'")
    if word == "die":
        import os, signal

        os.kill(os.getpid(), signal.SIGKILL)
    if word.startswith("wait"):
        import threading
        from trimtab.bootstrap.ending import ended_in_order

        try:
            with ended_in_order():
                print("waits", flush=True)
                threading.Event().wait(60)
        finally:
            open(word.removeprefix("wait "), "w").close()
    return namedtuple("Judged", ["passed"])(word == "yes")


@dsl.component(base_image="trimtab:0.1.0", install_kfp_package=False)
def tell(word: str, held: dsl.Input[dsl.Dataset]) -> str:
    return word + open(held.path).read()


@dsl.component(base_image="trimtab:0.1.0", install_kfp_package=False)
def report(status: dsl.PipelineTaskFinalStatus) -> str:
    return status.state


@dsl.pipeline(name="small")
def small(word: str):
    with dsl.ExitHandler(report()):
        judged = judge(word=word)
        with dsl.If(judged.outputs["passed"] == True):
            tell(word="good ", held=judged.outputs["out"])
        with dsl.Else():
            tell(word="bad ", held=judged.outputs["out"])


compiler.Compiler().compile(small, __import__("sys").argv[1])
"""


@pytest.fixture(scope="module")
def ir(tmp_path_factory):
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("ir")
    (folder / "small.py").write_text(PIPELINE)
    subprocess.run([sys.executable, str(folder / "small.py"), str(folder / "small.yaml")], check=True)
    return folder / "small.yaml"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    from trimtab.adapters.kfp.client import PipelineHost

    with PipelineHost(tmp_path_factory.mktemp("host") / "host.log") as host:
        host.wait_ready()
        yield host


def run(host, ir: Path, word: str, folder: Path):
    events = []
    ended = host.run(ir, {"word": word}, folder, events.append)
    return ended["succeeded"], {e["task"]: e for e in events if e["event"] == "task_ended"}


def test_the_gate_takes_one_branch_alone_and_the_exit_handler_runs(host, ir, tmp_path):
    succeeded, tasks = run(host, ir, "yes", tmp_path / "yes")
    assert succeeded
    assert tasks["tell"]["outputs"] == {"Output": "good yes"}
    assert "tell-2" not in tasks
    assert tasks["report"]["outputs"] == {"Output": "SUCCEEDED"}

    succeeded, tasks = run(host, ir, "no", tmp_path / "no")
    assert succeeded
    assert tasks["tell-2"]["outputs"] == {"Output": "bad no"}
    assert "tell" not in tasks


@pytest.mark.parametrize(
    ("word", "kind", "status", "said"),
    [
        ("raise", "RuntimeError", 70, "as asked"),
        ("refuse", "DataRefused", 2, "column 'x'"),
        ("die", "Died", 4, "signal 9"),
    ],
)
def test_a_failed_task_says_why_and_the_report_still_runs(host, ir, tmp_path, word, kind, status, said):
    succeeded, tasks = run(host, ir, word, tmp_path)
    assert not succeeded
    failure = tasks["judge"]["failure"]
    assert (failure["type"], failure["status"]) == (kind, status)
    assert said in failure["sentence"]
    assert Path(tasks["judge"]["log"]).exists()
    assert tasks["report"]["outputs"] == {"Output": "FAILED"}


def test_a_run_in_the_same_folder_takes_what_was_done_from_its_cache(host, ir, tmp_path):
    run(host, ir, "yes", tmp_path)
    succeeded, tasks = run(host, ir, "yes", tmp_path)
    assert succeeded
    assert "judge" not in tasks


def test_the_stock_handler_is_back_after_the_context():
    from kfp.local import subprocess_task_handler

    from trimtab.adapters.kfp.warm import tasks_by

    stock = subprocess_task_handler.SubprocessTaskHandler
    with tasks_by(lambda _: True):
        assert subprocess_task_handler.SubprocessTaskHandler is not stock
    assert subprocess_task_handler.SubprocessTaskHandler is stock


def test_nothing_is_left_when_the_host_is_killed(tmp_path):
    import os
    import signal

    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.api.errors import SurroundingsFailed

    host = PipelineHost(tmp_path / "host.log")
    host.wait_ready()
    children = descendants(host.pid)
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(SurroundingsFailed, match="pipeline host"):
        host.run(tmp_path / "none.yaml", {}, tmp_path, lambda _: None)
    deadline = time.monotonic() + 60
    while alive := [pid for pid in children if Path(f"/proc/{pid}/cmdline").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
    host.close()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_task_that_takes_its_end_for_itself_has_a_last_word_when_the_host_goes(
    ir, tmp_path, monkeypatch, how
):
    import os
    import signal
    import threading

    from trimtab.adapters.kfp import at_work
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.adapters.kfp.warm import LAST_WORD_S
    from trimtab.api.errors import SurroundingsFailed

    said, log = tmp_path / "said", tmp_path / "judge.log"
    (tmp_path / "patient.py").write_text("from trimtab.adapters.kfp import warm\nwarm.LAST_WORD_S = 60.0\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    def end(pid):
        until(lambda: log.exists() and "waits" in log.read_text())
        os.kill(pid, getattr(signal, how))

    with PipelineHost(tmp_path / "host.log", ("patient",)) as host:
        host.wait_ready()
        ending = threading.Thread(target=end, args=(host.pid,))
        ending.start()
        with pytest.raises(SurroundingsFailed, match="pipeline host"):
            host.run(ir, {"word": f"wait {said}"}, tmp_path, lambda _: None)
        ending.join()
    assert at_work.GONE_S > 5 * LAST_WORD_S >= 10
    with at_work.alone(tmp_path):  # who goes on with the run comes after it
        assert said.exists()


def until(seen):
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dead_host_is_seen_to_be_dead_and_says_so_each_time(tmp_path):
    import os
    import signal

    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.api.errors import SurroundingsFailed

    with PipelineHost(tmp_path / "host.log") as host:
        host.wait_ready()
        assert host.alive
        os.kill(host.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(SurroundingsFailed, match="ended with status -9"):
                host.run(tmp_path / "none.yaml", {}, tmp_path, lambda _: None)
            assert not host.alive


def test_a_run_that_is_broken_off_leaves_nothing_for_the_next(ir, tmp_path):
    from trimtab.adapters.kfp.client import PipelineHost

    def full(_):
        raise OSError(28, "No space left on device")

    with PipelineHost(tmp_path / "host.log") as host:
        with pytest.raises(OSError, match="No space"):
            host.run(ir, {"word": "yes"}, tmp_path, full)
        assert not host.alive


def descendants(pid: int) -> list[int]:
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found

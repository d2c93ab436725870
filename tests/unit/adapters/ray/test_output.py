"""Lines that other processes write, as who waits for them reads them."""

import subprocess
import sys
from pathlib import Path

from trimtab.adapters.ray import output
from trimtab.adapters.ray.output import LINES, LONG_BYTES, Output

WRITES = """
import os, sys, warnings
from pathlib import Path
from trimtab.adapters.ray.output import to_room
to_room(Path(sys.argv[1]), "worker 1")
print("a print")
warnings.warn("beware")
os.system("echo of another program")
print("half a line", end="", flush=True)
os.kill(os.getpid(), 9)
"""


def test_prints_warnings_and_other_programs_are_heard_though_it_was_killed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITES, str(tmp_path)], check=False)
    heard = Output(tmp_path)
    lines = list(heard.new())
    assert lines[0] == "worker 1: a print"
    assert lines[1].endswith("UserWarning: beware")
    assert lines[-1] == "worker 1: of another program"
    assert list(heard.new()) == []
    with (tmp_path / "output-worker 1").open("a") as file:
        file.write(", and its end\n")
    assert list(heard.new()) == ["worker 1: half a line, and its end"]
    assert "a print" in heard.last


def test_of_a_flood_the_last_lines_are_told_and_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    path, heard = tmp_path / "output-worker 0", Output(tmp_path)
    for _ in range(2):
        with path.open("a") as file:
            file.writelines(f"line {i}\n" for i in range(LONG_BYTES // 10))
        told = list(heard.new())
        assert len(told) == LINES + 1
        assert "lines left out" in told[0]
        assert told[-1] == f"worker 0: line {LONG_BYTES // 10 - 1}"
        assert path.stat().st_size == 0


def test_of_a_progress_bar_its_last_state_is_told_and_what_libraries_chat_is_not(tmp_path: Path) -> None:
    (tmp_path / "output-worker 0").write_text(
        "10%\r50%\r100%\n[Gloo] Rank 0 is connected\n\nx" + "y" * 900 + "\n"
    )
    told = list(Output(tmp_path).new())
    assert told[0] == "worker 0: 100%"
    assert told[1] == "worker 0: x" + "y" * (output.WIDE - 1)
    assert len(told) == 2

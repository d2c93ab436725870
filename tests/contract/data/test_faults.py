"""Ingest killed at any moment, on a full disk, and beside another run: the last committed version stands."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("data")

KILLED = """
    # Libraries are loaded once and used in forked children only, which share none of their threads.
    import os, signal, sys, time
    from pathlib import Path
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.files import LocalFiles
    from trimtab.api.sources import Source
    from trimtab.steps.ingest import ingest

    root, kills = Path(sys.argv[1]), int(sys.argv[2])
    load = {"mode": "incremental", "watermark": "at", "lookback": "1h", "key": ["id"]}
    source = Source.model_validate({"files": "a.csv.gz", "load": load})

    def tables():
        return DeltaTables(root / "tables")

    def run():
        engine = DuckEngine(tables(), root / "tmp")
        ingest("s", source, files=LocalFiles(root, root / "tmp"), engine=engine, tables=tables())

    def check(step):
        held = tables().head("s")
        rows = 0 if held is None else held.rows
        with DuckEngine(tables(), root / "tmp").session() as session:
            found = 0
            for file in [] if held is None else tables().files("s", held.version):
                found += session.rows(f"select count(*) from read_parquet('{file}')")[0][0]
        assert rows == found and rows in (2000 * step, 2000 * (step + 1)), (step, rows, found)
        return rows == 2000 * (step + 1)

    def child(does, *given, within=None):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = 0 if does(*given) in (None, True) else 1
            finally:
                os._exit(code)
        deadline = time.monotonic() + (600 if within is None else within)
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    import gzip
    def write(step):
        stamps = ((i, i // 3600, i // 60 % 60, i % 60) for i in range(2000 * (step + 1)))
        rows = "".join(f"{i},2013-01-01T{hour:02}:{minute:02}:{second:02}Z\\n" for i, hour, minute, second in stamps)
        (root / "a.csv.gz").write_bytes(gzip.compress(("id,at\\n" + rows).encode(), 1))

    write(0)
    started = time.monotonic()
    assert child(run) == 0
    whole = time.monotonic() - started
    assert child(check, 0) == 0
    step, killed = 1, 0
    for attempt in range(kills):
        write(step)
        begun = time.monotonic()
        code = child(run, within=whole * (attempt + 1) / kills)
        if code == 0:  # the machine was slower when the first was timed
            whole = min(whole, time.monotonic() - begun)
        assert code in (0, -signal.SIGKILL), code
        killed += code != 0
        verdict = child(check, step)
        assert verdict in (0, 1), verdict
        step += verdict == 0
    write(step)
    assert child(run) == 0
    assert child(check, step) == 0
    left = [one.name for one in (root / "tmp").iterdir()]
    print(f"killed {killed} left {left}")
"""

FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from trimtab.adapters.delta import DeltaTables
    from trimtab.adapters.duckdb import DuckEngine
    from trimtab.adapters.files import LocalFiles
    from trimtab.api.errors import SurroundingsFailed
    from trimtab.api.sources import Source
    from trimtab.steps.ingest import ingest

    root, name, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))   # a write past it fails as one to a full disk
    tables = DeltaTables(root / "tables")
    try:
        ingest("s", Source(files=name), files=LocalFiles(root, root / "tmp"),
               engine=DuckEngine(tables, root / "tmp"), tables=tables)
    except SurroundingsFailed as error:
        print(error)
    else:
        print("no error")
"""


def run_script(text: str, *arguments: object, timeout_s: float = 600) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_killed_at_any_moment_leaves_the_last_committed_version(tmp_path: Path):
    told = run_script(KILLED, tmp_path, 8)
    killed = int(told.split()[1])
    assert killed >= 2, told
    assert told.endswith("left []\n"), "the next run removes what a killed one left"


@pytest.mark.parametrize(("name", "limit"), [("a.csv", 20_000), ("a.csv.gz", 20_000)])
def test_a_full_disk_is_told_and_leaves_the_last_version(workshop, name, limit):
    import gzip
    import random

    workshop.write("small.csv", "id,text\n1,a\n")
    held = workshop.ingest("s", files="small.csv")
    noise = random.Random(7)
    text = "id,text\n" + "".join(f"{i},{noise.getrandbits(64):x}\n" for i in range(20_000))
    workshop.write(name, gzip.compress(text.encode()) if name.endswith("gz") else text)
    told = run_script(FULL_DISK, workshop.root, name, limit)
    assert "the disk is full" in told
    assert "remedy: free some space" in told
    assert workshop.tables.head("s").version == held.version
    assert workshop.ingest("s", files=name).rows == 20_000


def test_of_two_runs_at_once_one_commits_and_the_other_says_so_or_goes_after_it(workshop):
    from concurrent.futures import ThreadPoolExecutor

    from trimtab.api.errors import SurroundingsFailed

    workshop.write("a.csv", "id,value\n" + "".join(f"{i},{i}\n" for i in range(5_000)))
    workshop.write("b.csv", "id,value\n" + "".join(f"{i},{-i}\n" for i in range(5_000)))

    def run(name: str) -> object:
        try:
            return workshop.ingest("s", files=name)
        except SurroundingsFailed as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, ["a.csv", "b.csv"]))
    assert any(not isinstance(one, SurroundingsFailed) for one in done), done
    held = workshop.tables.head("s")
    sums = workshop.rows("s", "select count(*), abs(sum(value)) from t")
    assert held.rows == 5_000
    assert sums == [(5_000, 12_497_500)]

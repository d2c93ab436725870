"""Measures every row of the table of targets that runs on one machine, and some more, and writes benchmarks/RESULTS.md.

    python benchmarks/run.py                  # all, some 20 minutes; `make bench`
    python benchmarks/run.py --quick          # all, smaller; to see that they run
    python benchmarks/run.py parsing tasks    # these anew; the other sections stay

Each script prints its tables; nothing is copied from anywhere else. A peer that does not install or does not run is
shown as not measured, and a ratio that falls short as what it is. How often verdicts are wrong by chance is measured
by verdict_nulls.py and flights_story.py, whose tables are in docs/verdicts.md.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
QUIET_LOAD = 1.0


@dataclass(frozen=True)
class Row:
    """One script.

    Attributes:
        title: the section's heading.
        quick: its arguments for a smaller measurement.
        needs: a command that is there only where it can run; elsewhere its section stays as it is.
    """

    script: str
    title: str
    quick: tuple[str, ...] = ("--quick",)
    needs: str = ""


ROWS = (
    Row("table_drift", "1. Have two tables drifted apart?"),
    Row("sketch", "2, 3. Adding to a sketch"),
    Row("collector", "4. The payload sink", ("--requests", "600", "--keep", "5000")),
    Row("parsing", "5. Parsing a V2 request"),
    Row("serving", "6. Serving", ("--requests", "400")),
    Row("feast_stores", "7, 8, 9. Features: online, materialised, point in time"),
    Row("feast_redis", "7, 8, in Redis"),
    Row("training", "10. An epoch of a network"),
    Row("training_workers", "10, in several processes"),
    Row("training_memory", "10, memory against the table's size"),
    Row("object_storage", "10, rows from object storage"),
    Row("training_gpu", "10, on a GPU", needs="nvidia-smi"),
    Row("training_ray_gpu", "10, in a worker of Ray on a GPU", needs="nvidia-smi"),
    Row("tasks", "11. What a pipeline's task costs beyond its work"),
    Row("reconcile", "12. What an operator costs that looks after many rollouts"),
    Row("search_at_once", "A search's trials, one by one and several at once"),
    Row("explaining", "An explanation: sampled as it is served, beside SHAP"),
    Row("pruning", "A network's weights pruned: torch.ao beside whole units left out"),
    Row("flights_network", "The flights, by gradient boosting and by a network"),
)
HEAD = """# Measured

Written by `make bench` (benchmarks/run.py); no figure is edited by hand. Sections of a machine that was lent hold what
its scripts printed there, and name it. Ratios matter: both sides of each ran in one go on one machine, which each
section names. Where a script says CPU, other processes do not count; where it says wall time, the load beside it does.
"""


def machine() -> str:
    """The machine in one line."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} CPUs ({names[0] if names else platform.processor()}), {memory_gb:.0f} GiB, "
        f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )


def measured(row: Row, quick: bool) -> str:
    """The section of a row: when, at which load, on what, and what its script printed."""
    load = os.getloadavg()[0]
    began = time.monotonic()
    command = [sys.executable, str(HERE / f"{row.script}.py"), *(row.quick if quick else ())]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    said = ended.stdout.strip()
    if ended.returncode:
        said = f"Not measured: {row.script}.py ended with status {ended.returncode}."
    busy = "" if load < QUIET_LOAD else "; the machine was not idle"
    what = "a quick run, " if quick else ""
    when = f"{datetime.now(UTC):%Y-%m-%d}, {what}{took:.0f} s, load {load:.1f} before it began{busy}"
    return f"## {row.title}\n\n`benchmarks/{row.script}.py`, {when}. {machine()}.\n\n{said}\n"


def sections(text: str) -> dict[str, str]:
    """Sections by heading, of what RESULTS.md holds."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.rstrip() + "\n" for part in parts}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("script", nargs="*", choices=[[], *(row.script for row in ROWS)], metavar="SCRIPT")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    held = sections(RESULTS.read_text()) if RESULTS.exists() else {}
    for row in ROWS:
        if asked.script and row.script not in asked.script:
            continue
        if row.needs and not shutil.which(row.needs):
            print(f"{row.script}: there is no {row.needs} here")
            continue
        print(f"{row.script} …", flush=True)
        held[row.title] = measured(row, asked.quick)
        write(held)
    print(f"written: {RESULTS}")


def write(held: dict[str, str]) -> None:
    """Sections of no row, which other machines measured, stay behind those of rows."""
    titles = [row.title for row in ROWS if row.title in held]
    parts = [HEAD, *(held[title] for title in [*titles, *(other for other in held if other not in titles)])]
    RESULTS.write_text("\n".join(parts))


if __name__ == "__main__":
    main()

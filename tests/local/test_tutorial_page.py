"""docs/tutorial-laptop.md as it is printed: a table becomes a model that answers, a second one, and made again."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial-laptop.md"
BLOCK = re.compile(r"^```sh(?: test)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.xdist_group("tutorial")
WITHIN_S = 600


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """(the project's folder, what the page's commands printed), in one shell, from an empty folder to `down`."""
    folder = tmp_path_factory.mktemp("tutorial")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "200"}
    script = "".join(BLOCK.findall(PAGE.read_text()))
    try:
        ended = subprocess.run(
            ["bash", "-eux", "-o", "pipefail", "-c", script],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, check=False, timeout=WITHIN_S,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout
        yield folder / "churn", ended.stdout
    finally:
        if (
            folder / "churn" / "trimtab.yaml"
        ).exists():  # where a command before the page's own `down` failed
            subprocess.run(["trimtab", "down"], cwd=folder / "churn", env=environment, check=True)


def part(said: str, first: str, last: str) -> str:
    """What was printed from one command on until another."""
    return said.partition(f"+ {first}\n")[2].partition(f"+ {last}\n")[0]


def test_the_commands_of_every_step_are_there(lived: tuple[Path, str]) -> None:
    _, said = lived
    assert "Traceback" not in said
    verbs = [
        "check",
        "run",
        "up",
        "status",
        "run",
        "rollout status",
        "lineage churn/1",
        "reproduce latest",
        "down",
    ]
    assert (
        re.findall(r"^\+ trimtab ((?:check|run|up|status|rollout|lineage|reproduce|down).*)$", said, re.M)
        == verbs
    )


def test_a_run_has_the_twelve_steps_that_the_page_promises(lived: tuple[Path, str]) -> None:
    _, said = lived
    first = part(said, "trimtab run", "trimtab up")
    assert len(re.findall(r"^ +done ", first, re.MULTILINE)) == 12
    assert re.search(r"^candidate: version 1: ", first, re.MULTILINE)
    (run,) = re.findall(r"^[\d.]+ s; logs and reports: (.+)$", first, re.MULTILINE)
    assert (Path(run) / "evaluate.html").exists(), "the last line names the folder that has it"


def test_every_customer_is_answered(lived: tuple[Path, str]) -> None:
    folder, said = lived
    answers = json.loads((folder / "answers.json").read_text())
    answers = answers if isinstance(answers, list) else answers["predictions"]
    assert len(answers) == 4000
    assert all(0 <= answer <= 1 for answer in answers)
    assert "curl -s http://127.0.0.1:" in part(said, "trimtab up", "trimtab status")


def test_the_second_model_does_not_just_take_over(lived: tuple[Path, str]) -> None:
    _, said = lived
    assert re.search(r"^candidate: version 2: ", said, re.MULTILINE)
    now = part(said, "trimtab rollout status", "trimtab lineage churn/1")
    assert re.search(r"^stable +[0-9a-f]{8} +1 +100 %", now, re.MULTILINE), now


def test_the_first_is_traced_to_its_file_and_the_second_made_again_to_the_bit(
    lived: tuple[Path, str],
) -> None:
    _, said = lived
    assert "files: customers.csv" in part(said, "trimtab lineage churn/1", "trimtab reproduce latest")
    assert re.search(r"^identical: ", part(said, "trimtab reproduce latest", "trimtab down"), re.MULTILINE)
    assert "nothing of this project runs any more" in said.rpartition("+ trimtab down\n")[2]

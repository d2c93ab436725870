"""The quickstart as it is printed, on a table that is not flights: init, check, run, up, predict, run again, down."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "quickstart.md"
BLOCK = re.compile(r"^```sh(?: test)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.xdist_group("quickstart")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """(folder, what the page's commands printed), with the plane up until the tests are over."""
    folder = tmp_path_factory.mktemp("quickstart")
    page = PAGE.read_text().partition("## A model from elsewhere")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "200"}
    script = "".join(BLOCK.findall(page))
    try:
        ended = subprocess.run(
            ["bash", "-eu", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert ended.returncode == 0, ended.stdout
        yield folder / "churn", ended.stdout
    finally:
        if (folder / "churn" / "trimtab.yaml").exists():
            subprocess.run(["trimtab", "down"], cwd=folder / "churn", env=environment, check=True)


def test_the_table_becomes_a_candidate(begun):
    _, said = begun
    assert "churn: in order" in said
    assert re.search(r"^candidate: version 1", said, re.MULTILINE)


def test_a_run_leaves_its_pages_beside_its_record(begun):
    folder, _ = begun
    for run in {record.parent for record in (folder / ".trimtab" / "runs").glob("*/run.json")}:
        for page in ("validate.html", "evaluate.html", "report.html"):
            assert (run / page).read_text().lstrip().lower().startswith("<!doctype html")


def test_every_row_is_answered_with_a_probability(begun):
    folder, _ = begun
    answers = json.loads((folder / "answers.json").read_text())
    answers = answers if isinstance(answers, list) else answers["predictions"]
    assert len(answers) == 4000
    assert all(0 <= answer <= 1 for answer in answers)


def test_the_line_that_up_prints_is_answered(begun):
    _, said = begun
    asked = re.search(r"curl -s (\S+) -H 'Content-Type: application/json' -d '(.+)'", said)
    assert asked is not None, said
    request = Request(asked[1], asked[2].encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        assert 0 <= json.load(answer)["predictions"][0] <= 1


def test_a_second_run_makes_a_second_candidate_and_the_first_still_serves(begun):
    _, said = begun
    assert re.search(r"^candidate: version 2", said, re.MULTILINE)
    assert re.search(r"^stable +[0-9a-f]{8} +1 +100 %", said, re.MULTILINE), said

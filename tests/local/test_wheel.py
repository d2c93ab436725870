"""What the wheel carries, and what the bare one does without its extras."""

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("wheel")

ROOT = Path(__file__).resolve().parents[2]
TABLES = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
draw = np.random.default_rng(1)
for name, mean in (("reference", 0), ("alike", 0), ("moved", 1)):
    table = {"size": draw.normal(mean, 1, 4000), "kind": draw.choice(["a", "b"], 4000)}
    pq.write_table(pa.table(table), name + ".parquet")
"""
LIGHT = """
import sys
from trimtab.cli.app import invoke
status = invoke(sys.argv[1:] or ["drift", "reference.parquet", "alike.parquet"])
heavy = {"pandas", "sklearn", "duckdb", "deltalake", "mlflow", "feast", "kfp", "kserve", "onnxruntime", "numba"}
print(status, sorted(heavy & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def tables(bare, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    assert bare.python(TABLES, folder).returncode == 0
    return folder


def tracked(folder):
    """Files of the clone under a folder, as git holds them."""
    listed = subprocess.run(
        ["git", "ls-files", "--", folder], cwd=ROOT, text=True, capture_output=True, check=True
    )
    return {line for line in listed.stdout.splitlines() if (ROOT / line).exists()}


@pytest.mark.parametrize("folder", ["components", "pipelines", "examples/flights"])
def test_it_carries_what_travels_beside_the_library(names, folder):
    assert {f"trimtab/bundled/{name}" for name in tracked(folder)} <= set(names)


def test_it_carries_the_whole_library(names):
    assert {name.removeprefix("src/") for name in tracked("src/trimtab")} <= set(names)


def test_it_carries_nothing_else(names):
    assert {name.split("/")[0] for name in names} <= {
        "trimtab",
        next(n for n in names if "METADATA" in n).split("/")[0],
    }
    assert not [
        name for name in names if ".trimtab" in name or "__pycache__" in name or name.endswith(".pyc")
    ]


def test_the_bare_command_says_what_it_can_do(bare, tmp_path):
    done = bare.trimtab("--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"init", "check", "run", "up", "drift", "demo", "rollout"} <= set(done.stdout.split())


@pytest.mark.parametrize(("current", "status", "verdict"), [("alike", 0, "stable"), ("moved", 1, "drifted")])
def test_the_bare_command_compares_two_tables(bare, tables, current, status, verdict):
    done = bare.trimtab("drift", "reference.parquet", f"{current}.parquet", cwd=tables)
    assert (done.returncode, done.stderr) == (status, "")
    assert verdict in done.stdout


def test_the_bare_command_loads_no_heavy_library(bare, tables):
    done = bare.python(LIGHT, tables)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_the_bare_command_checks_a_project(bare, tmp_path):
    assert bare.trimtab("init", "churn", cwd=tmp_path).returncode == 0
    done = bare.trimtab("check", cwd=tmp_path / "churn")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bare_command_profiles_a_table(bare, tables):
    done = bare.trimtab("profile", "reference.parquet", cwd=tables)
    assert done.returncode == 0, done.stderr
    written = [path for path in tables.iterdir() if path.suffix == ".json"]
    assert written
    assert json.loads(written[0].read_text())


@pytest.mark.parametrize("verb", [("demo",), ("run",)])
def test_a_verb_that_needs_more_names_the_extra(bare, tmp_path, verb):
    assert bare.trimtab("init", "churn", cwd=tmp_path).returncode == 0
    done = bare.trimtab(*verb, cwd=tmp_path / "churn")
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"pip install 'trimtab\[[a-z,]+\]'", done.stderr)
    assert "Traceback" not in done.stderr


def test_the_bundled_folders_are_found(bare, tmp_path):
    code = "from trimtab import bundled; print(*sorted(p.name for p in bundled.path().iterdir()))"
    assert bare.python(code, tmp_path).stdout.split() == ["components", "examples", "pipelines"]

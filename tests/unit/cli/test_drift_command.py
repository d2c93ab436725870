"""The command as a person types it: what it prints, writes, and exits with."""

import json
import subprocess
import sys

import numpy as np
import pytest

from trimtab.api.errors import ExitStatus


@pytest.fixture(scope="module")
def run():
    import typer
    from typer.main import get_command

    from trimtab.cli import drift

    app = typer.Typer()
    drift.register(app)
    command = get_command(app)
    return lambda *arguments: command.main([str(one) for one in arguments], standalone_mode=False) or 0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import pyarrow as pa
    from pyarrow import csv, parquet

    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    times = np.datetime64("2026-01-01", "s") + (np.arange(6_000) * 1_440).astype("m8[s]")

    def table(shift, rows=6_000):
        return pa.table(
            {
                "a": rng.normal(shift, 1, rows),
                "b": rng.normal(size=rows),
                "city": np.array(["x", "y"])[rng.integers(0, 2, rows)],
                "at": times[:rows],
            }
        )

    parquet.write_table(table(0), folder / "reference.parquet")
    parquet.write_table(table(0), folder / "same.parquet")
    parquet.write_table(table(1), folder / "moved.parquet")
    parquet.write_table(table(0, 10), folder / "few.parquet")
    csv.write_csv(table(1), folder / "moved.csv")
    return folder


@pytest.mark.parametrize(
    ("current", "options", "status"),
    [
        ("same.parquet", [], ExitStatus.DONE),
        ("moved.parquet", [], ExitStatus.NO),
        ("moved.csv", [], ExitStatus.NO),
        ("few.parquet", [], ExitStatus.INCONCLUSIVE),
        ("moved.parquet", ["--fail-on", "never"], ExitStatus.DONE),
        ("moved.parquet", ["--ignore", "a"], ExitStatus.DONE),
        ("moved.parquet", ["--threshold", "a=0.99"], ExitStatus.DONE),
        ("moved.parquet", ["--number", "psi", "--fail-on", "any"], ExitStatus.NO),
        ("moved.parquet", ["--time", "at", "--window", "7d"], ExitStatus.NO),
    ],
)
def test_the_exit_status_is_the_answer(run, files, current, options, status, capsys):
    assert run("drift", files / "reference.parquet", files / current, *options) == status
    assert capsys.readouterr().out


def test_json_is_all_that_is_printed(run, files, capsys):
    assert run("drift", files / "reference.parquet", files / "moved.parquet", "--json") == 1
    held = json.loads(capsys.readouterr().out)
    assert held["answer"] == "drifted"
    assert held["columns"][0]["column"] == "a"


def test_names_that_look_like_markup_are_printed_as_they_are(run, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("[red]x[/nothing]\n" + "1\n2\n" * 100)
    assert run("drift", tmp_path / "t.csv", tmp_path / "t.csv") == 0
    assert "[red]x[/nothing]" in capsys.readouterr().out


def test_the_page_is_written_where_it_was_asked_for(run, files, tmp_path, capsys):
    run("drift", files / "reference.parquet", files / "moved.parquet", "--html", tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "report.html" in capsys.readouterr().out


def test_a_profile_stands_for_its_table(run, files, tmp_path, capsys):
    assert run("profile", files / "reference.parquet", "-o", tmp_path / "profile.json", "--time", "at") == 0
    assert run("drift", tmp_path / "profile.json", files / "moved.parquet") == 1
    assert run("drift", tmp_path / "profile.json", files / "same.parquet") == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere.parquet", "same.parquet"], "there is no file"),
        (["reference.parquet", "same.parquet", "--time", "when"], "no column 'when'"),
        (["reference.parquet", "same.parquet", "--time", "b"], "does not hold times"),
        (["reference.parquet", "same.parquet", "--number", "nonsense"], "no measure 'nonsense'"),
        (["reference.parquet", "same.parquet", "--window", "soon"], "--window"),
        (["reference.parquet", "same.parquet", "--window", "5m"], "shorter than an hour"),
        (["reference.parquet", "same.parquet", "--threshold", "a"], "--threshold a"),
        (["reference.parquet", "same.parquet", "--html", "no/such/folder.html"], "cannot be written"),
        (["reference.parquet", "broken.json"], "not a table|kind is not known"),
        (["broken.json", "same.parquet"], "not a reference profile"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(run, files, arguments, why):
    from trimtab.api.errors import InputRefused

    (files / "broken.json").write_text('{"format": "x"}')
    paths = [files / arguments[0], files / arguments[1]]
    with pytest.raises(InputRefused, match=why) as refused:
        run("drift", *paths, *arguments[2:])
    assert refused.value.remedy
    assert refused.value.status == ExitStatus.INPUT


def test_the_bare_wheel_is_enough(files):
    """With every optional package out of reach, the command still answers."""
    optional = (
        "numba",
        "duckdb",
        "deltalake",
        "pandas",
        "polars",
        "sklearn",
        "feast",
        "mlflow",
        "kserve",
        "kfp",
    )
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name in {optional!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import typer; from typer.main import get_command; from trimtab.cli import drift\n"
        "app = typer.Typer(); drift.register(app)\n"
        "sys.exit(int(get_command(app).main(sys.argv[1:], standalone_mode=False) or 0))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "drift",
            files / "reference.parquet",
            files / "moved.csv",
            "--time",
            "at",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == ExitStatus.NO, done.stderr
    assert "drifted" in done.stdout

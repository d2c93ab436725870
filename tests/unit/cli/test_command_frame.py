"""The command's frame: exit statuses, what it loads, what a missing extra says."""

import json
import subprocess
import sys

import pytest

from trimtab.api.errors import AnswerIsNo, ExitStatus, Inconclusive, InputRefused, SurroundingsFailed
from trimtab.cli import app

VERBS = ("init", "check", "run", "up", "down", "status", "predict", "register", "drift", "profile", "rollout",
         "pipeline", "logs", "clean", "doctor", "demo")  # fmt: skip
HEAVY = ("kfp", "mlflow", "feast", "sklearn", "duckdb", "deltalake", "onnxruntime", "pandas", "pyarrow", "kserve",
         "numpy", "scipy", "pydantic", "rich")  # fmt: skip

BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from trimtab.cli import main
main({arguments!r})
"""


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (InputRefused("no", remedy="do"), 2),
        (AnswerIsNo("no"), 1),
        (Inconclusive("few"), 3),
        (SurroundingsFailed("gone"), 4),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "/disk"), 4),
        (ZeroDivisionError("ours"), 70),
        (None, 0),
    ],
)
def test_each_end_has_its_exit_status(monkeypatch, capsys, raised, status):
    import typer

    def build():
        made = typer.Typer()

        @made.command()
        def only() -> None:
            if raised is not None:
                raise raised

        return made

    monkeypatch.setattr(app, "build", build)
    assert app.invoke([]) == status
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if status == ExitStatus.BUG:
        path = said.split("traceback: ")[1].strip()
        with open(path) as file:
            assert "ZeroDivisionError: ours" in file.read()


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["run", "--nonsense"], ["init", "--label", "y", "name"], ["run", "--until", "soon"]],
)
def test_a_wrong_call_is_the_users(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert app.invoke(arguments) == ExitStatus.INPUT
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["check", "run", "up", "down", "status", "predict", "clean", "logs"])
def test_outside_a_project_a_verb_says_where_to_go(verb, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert app.invoke([verb]) == ExitStatus.INPUT
    assert "trimtab init" in "".join(capsys.readouterr())


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_by_example(verb, capsys):
    assert app.invoke([verb, "--help"]) == ExitStatus.DONE
    assert capsys.readouterr().out.count(f"trimtab {verb}") > 1  # the usage, and an example


def test_help_loads_nothing_heavy():
    code = "import sys; from trimtab.cli import app; app.invoke(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & set(HEAVY)


def test_importing_trimtab_loads_nothing():
    code = "import sys, trimtab; print(*(m for m in sys.modules if m.startswith('trimtab')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["trimtab"]


@pytest.mark.parametrize(
    ("blocked", "arguments", "remedy"),
    [
        (("kfp",), ["run"], "pip install 'trimtab[kfp]'"),
        (("duckdb", "sklearn", "kfp"), ["run"], "pip install 'trimtab[local]'"),
        (("envoy",), ["up"], "pip install 'trimtab[local]'"),
        (("kfp",), ["pipeline", "compile"], "pip install 'trimtab[kfp]'"),
        (("sklearn",), ["register", "m.onnx", "--profile", "p.parquet"], "pip install 'trimtab[train]'"),
    ],
)
def test_a_missing_extra_is_named_with_its_pip_line(tmp_path, blocked, arguments, remedy):
    (tmp_path / "trimtab.yaml").write_text(
        "apiVersion: trimtab.dev/v1alpha1\nkind: Project\nname: shop\n"
        "sources: {rows: {files: rows.csv}}\nexamples: {label: {column: y}}\n"
    )
    code = BLOCKED.format(blocked=blocked, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitStatus.INPUT, done.stderr
    assert remedy in done.stderr


def test_doctor_says_what_is_here(capsys):
    assert app.invoke(["doctor", "--json"]) == ExitStatus.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["versions"]["trimtab"]
    found = {one["what"]: one for one in told["findings"]}
    assert found["extra data"]["well"]
    assert {"python", "disk", "ports"} <= found.keys()


def test_doctor_names_the_pip_line_of_what_is_missing(monkeypatch, capsys):
    from trimtab.local import doctor

    monkeypatch.setattr(doctor, "missing", lambda extra: ("torch",) if extra == "torch" else ())
    assert app.invoke(["doctor"]) == ExitStatus.DONE
    assert "pip install 'trimtab[torch]'" in capsys.readouterr().out

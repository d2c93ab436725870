"""A model of a platform, made again and walked down from a clone of the project that has nothing of its run.

The training pipeline runs as it is compiled for the platform, over an archive's address, with a volume of its own.
Archive and tables lie in a bucket, and a real MLflow server tracks and registers. The clone has the checkout's files.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mlflow.server_process import ServerProcess
from tests.contract.reproduce.conftest import FILES, UNTIL, table
from tests.contract.s3_server import S3Server, environment
from trimtab.api.provenance import Provenance

pytestmark = pytest.mark.xdist_group("reproduce")

TRIMTAB = Path(sys.executable).parent / "trimtab"
AWAY = "http://127.0.0.1:9"
"""Where nothing answers."""


@dataclass(frozen=True, slots=True)
class Made:
    """A run of the platform.

    Attributes:
        clone: of the project; nobody ran anything there.
        volume: where the tasks kept `.trimtab`.
        variables: with which this machine reaches the bucket.
        run: its id at MLflow.
    """

    project: Path
    clone: Path
    volume: Path
    server: str
    commit: str
    variables: Mapping[str, str]
    run: str


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("platform")
    store, server = S3Server(root / "s3"), ServerProcess(root)
    variables = environment(store.port)
    try:
        server.start()
        project, clone = root / "visits", root / "clone"
        written(project, root, server.address)
        git(project, "clone", "-q", str(project), str(clone))
        with pytest.MonkeyPatch.context() as here:
            for name, value in variables.items():
                here.setenv(name, value)
            run = trained(project, root)
        commit = git(project, "rev-parse", "HEAD")
        yield Made(project, clone, root / "volume", server.address, commit, variables, run)
    finally:
        server.stop()
        store.kill()


def written(project: Path, root: Path, mlflow: str) -> None:
    """A checkout with two platforms: that of the run, and one whose MLflow does not answer."""
    project.mkdir()
    (root / "data").mkdir()
    (root / "data" / "visits.csv").write_text(table())
    for name, text in FILES.items():
        (project / name).write_text(text)
    place = {
        "tables": "s3://lake/visits",
        "dataRoot": str(root / "data"),
        "projects": "s3://lake/projects",
        "mlflow": mlflow,
        "pods": {"volume": {"claim": "visits", "path": str(root / "volume")}},
    }
    platforms = {
        "cluster": place,
        "away": {**place, "mlflow": AWAY},
        "emptied": {**place, "projects": "s3://lake/emptied"},
        "bare": {"mlflow": mlflow},
    }
    (project / "platform.yaml").write_text(json.dumps({"platforms": platforms}))
    (project / ".gitignore").write_text(".trimtab/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "as it is trained")


def trained(project: Path, root: Path) -> str:
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.adapters.projects.archive import put
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load, load_platform

    loaded, platform = load(project), load_platform(project, "cluster")
    assert platform.projects is not None
    address = put(pack(loaded, root / "bundles"), platform.projects)
    ir = compile_pipeline("training", loaded.project, root / "ir.yaml", ("cluster", platform))
    events: list[Mapping[str, Any]] = []
    with PipelineHost(root / "host.log") as host:
        host.run(ir, {"project": address, "until": UNTIL}, root / "run", events.append)
    ended = {event["task"]: event for event in events if event["event"] == "task_ended"}
    assert all(one["succeeded"] for one in ended.values()), [one.get("failure") for one in ended.values()]
    return str(ended["train"]["outputs"]["run"])


@pytest.fixture
def clone(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.clone, tmp_path / "elsewhere"))


@pytest.fixture
def said(made: Made, clone: Path) -> Callable[..., str]:
    """What a command says in the clone, once it has ended as it should: its output, or its complaint."""

    def ask(*arguments: str, status: int = 0, **variables: str) -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
        done = subprocess.run(
            [str(TRIMTAB), *arguments],
            cwd=clone,
            env={**own, **made.variables, **variables},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if status == 0 else " ".join(done.stderr.split())

    return ask


def recorded(made: Made) -> Provenance:
    (path,) = made.volume.glob(".trimtab/models/*/manifest.json")
    return Provenance.model_validate(json.loads(path.read_text())["metadata"]["provenance"])


def test_the_run_records_the_commit_that_its_archive_came_from(made: Made) -> None:
    held = recorded(made)
    assert (held.code.commit, held.code.changed) == (made.commit, False)


def test_a_model_of_the_platform_is_made_again_from_a_clone(made: Made, clone: Path, said: Any) -> None:
    assert not (clone / ".trimtab").exists()
    told = json.loads(said("reproduce", "visits/1", "--platform", "cluster", "--json"))
    assert told["identical"], told["differences"]
    assert (
        told["rebuilt"] == told["recorded"] == recorded(made).results.model_dump(mode="json", by_alias=True)
    )
    assert not (clone / ".trimtab/mlflow").exists()


def test_a_clone_whose_files_are_others_takes_the_bundle_from_the_platform_s_archive(
    made: Made, clone: Path, said: Any
) -> None:
    (clone / "model.py").write_text("def build(schema, seed=0):\n    raise ValueError\n")
    assert json.loads(said("reproduce", made.run, "--platform", "cluster", "--json"))["identical"]
    (held,) = (clone / ".trimtab/bundles").glob("visits-*")
    shutil.rmtree(held)
    told = said("reproduce", "visits/1", "--platform", "emptied", status=4)
    assert f"bundle {held.name} is not here" in told
    assert f"check out commit {made.commit[:12]}" in told
    assert f"put {held.name}.tar.gz under s3://lake/emptied" in told


def test_an_archive_in_a_bucket_follows_the_commits_that_hold_its_files(
    made: Made, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.projects.archive import commit_in, fetched, put
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load

    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    told = []
    for _ in range(2):
        git(clone, "commit", "-q", "--allow-empty", "-m", "of another matter")
        bundle = pack(load(clone), tmp_path / "bundles")
        address = put(bundle, "s3://lake/followed")
        told.append((str(commit_in(fetched(address), bundle.name)), git(clone, "rev-parse", "HEAD")))
    assert [said for said, _ in told] == [head for _, head in told]
    assert told[0] != told[1]


def test_a_model_of_the_platform_is_walked_down_from_a_clone(made: Made, said: Any) -> None:
    told = json.loads(said("lineage", "visits@candidate", "--platform", "cluster", "--json"))
    assert told["name"] == "visits/1"
    run, features = told["madeOf"]
    below = {node["kind"]: node for node in run["madeOf"]}
    assert (run["name"], below["code"]["name"]) == (made.run, made.commit)
    assert below["bundle"]["digest"] == recorded(made).bundle.digest
    assert features["name"] == "_features/seen@0"


def test_a_prediction_in_a_copy_of_a_cluster_s_log_is_walked_down(
    made: Made, tmp_path: Path, said: Any
) -> None:
    """A cluster's revision is named by more than its model: its collector was given the profile."""
    from trimtab.collector.log import Kind, Log, Record
    from trimtab.collector.replay import revision_record

    (profile,) = (path.read_bytes() for path in made.volume.glob(".trimtab/models/*/profile.json"))
    at = 1_704_787_200_000_000
    data = {"ids": ["k040"], "times": [at], "features": {"visits": [5]}, "predictions": [0.9]}
    events = [
        {
            "id": revision, "source": "server", "type": "dev.trimtab.inference", "time": "2024-06-20T00:00:00Z",
            "revision": revision, "status": 200, "data": data,
        }
        for revision in ("visits-0a1b2c3d", "visits-unheard")
    ]  # fmt: skip
    log = Log(tmp_path / "log", list)
    list(log.replay())
    log.append([revision_record("visits-0a1b2c3d", profile)], 0)
    log.append([Record(Kind.EVENTS, json.dumps(events).encode())], 0)
    log.close()
    asked = ("lineage", "k040", "--collector", str(tmp_path / "log"))
    known, unheard = json.loads(said(*asked, "--platform", "cluster", "--json"))["madeOf"]
    example, learned, view, model = known["madeOf"]
    assert (example["name"], learned["name"]) == ("k040 in seen@0", "k040 in _features/seen@0")
    assert view["table"] == "regions"
    assert (model["kind"], model["name"]) == ("model", "visits/1")
    assert unheard["because"] == f"no version in MLflow at {made.server} was served as this revision"
    (lost, _) = json.loads(said(*asked, "--platform", "bare", "--json"))["madeOf"]
    rows, model = lost["madeOf"]
    assert rows["because"].startswith("the tables of this model are not here")
    assert model["name"] == "visits/1"


def test_what_is_not_there_is_told_with_what_is_and_the_other_place(made: Made, said: Any) -> None:
    where = f"in MLflow at {made.server}"
    for command in ("reproduce", "lineage"):
        told = said(command, "visits/7", "--platform", "cluster", status=2)
        assert f"there is no model version visits/7 {where}" in told
        assert "there are visits/1; what `trimtab run` made here is found without --platform" in told
        told = said(command, "visits/1", status=2)
        assert (
            "there are none yet: trimtab run; --platform away or bare or cluster or emptied asks the MLflow"
            in told
        )
    told = said("reproduce", "f" * 32, "--platform", "cluster", status=2)
    assert f"there is no run '{'f' * 32}', neither in a folder here nor {where}" in told
    assert "is named as visits/3" in told


def test_a_server_or_tables_that_are_out_of_reach_are_told_with_what_to_do(made: Made, said: Any) -> None:
    told = said("lineage", "visits/1", "--platform", "away", status=4)
    assert f"MLflow at {AWAY} does not answer" in told
    assert "kubectl port-forward and TRIMTAB_MLFLOW=http://127.0.0.1:PORT" in told
    forwarded = said("lineage", "visits/1", "--platform", "away", TRIMTAB_MLFLOW=made.server)
    assert "model visits/1" in forwarded
    told = said("reproduce", "visits/1", "--platform", "bare", status=4)
    assert "version 0 of source 'visits' is gone: there is no table 'visits'" in told
    assert "with --platform and the name of the platform whose bucket has them" in told

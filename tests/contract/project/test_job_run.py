"""A run as a Job's pod runs it: from the bundle's archive to the termination message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.project.conftest import trimtab
from trimtab.adapters.jobs.message import Ended
from trimtab.api.provenance import PROVENANCE, Provenance

pytestmark = pytest.mark.xdist_group("kfp")
KEY = "0123456789abcdef" * 4
UNTIL = "2025-01-01T00:00:00+00:00"


@pytest.fixture(scope="session")
def archive(project, tmp_path_factory):
    storage = tmp_path_factory.mktemp("storage")
    trimtab(project[0], "pipeline", "bundle", "-o", str(storage))
    return next(storage.iterdir())


@pytest.fixture
def pod(tmp_path):
    """What the pod's command does, with its termination log in a file."""

    def run(project, *more, parameters=None, status=0, **environment):
        code = (
            "import sys; from pathlib import Path; from trimtab.local import job;"
            "sys.exit(job.main(sys.argv[2:], Path(sys.argv[1])))"
        )
        told = {"until": UNTIL} if parameters is None else parameters
        log = tmp_path / "termination-log"
        arguments = ["--project", project, "--key", KEY, "--home", str(tmp_path / "home"), *more]
        done = subprocess.run(
            [sys.executable, "-c", code, str(log), *arguments],
            env={**os.environ, "TRIMTAB_PARAMETERS": json.dumps(told), **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"event"')]
        return Ended.from_text(log.read_text()), events

    return run


def test_a_pod_runs_the_bundle_and_leaves_what_it_registered(archive, project, table, pod, tmp_path):
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / table.name).write_bytes(table.read_bytes())
    ended, events = pod(archive.as_uri(), TRIMTAB_PLATFORM="", PATH=str(tmp_path))  # with no git
    assert ended.version == "1"
    assert ended.passed
    assert ended.until == UNTIL
    assert ended.labelled > 0
    assert not ended.failed
    done = [event["task"] for event in events if event["event"] == "task_ended" and event["succeeded"]]
    assert done[0] == "admit"
    assert {"train", "register", "report"} <= set(done)
    (there,) = (
        Provenance.from_json(path.read_bytes()) for path in home.glob(f".trimtab/runs/*/{PROVENANCE}")
    )
    (here,) = (
        Provenance.from_json(path.read_bytes()) for path in project[0].glob(f".trimtab/runs/*/{PROVENANCE}")
    )
    assert there.code == here.code
    assert len(there.code.commit) == 40
    assert there.bundle == here.bundle
    assert there.libraries.digest == here.libraries.digest != ""
    assert there.lock == here.lock
    assert there.lock.file == "uv.lock"
    again, events = pod(archive.as_uri())
    assert again == ended
    assert events == []


def test_an_archive_that_was_changed_is_refused(archive, pod, tmp_path):
    other = tmp_path / "churn-0000000000000000.tar.gz"
    other.write_bytes(archive.read_bytes())
    ended, _ = pod(other.as_uri(), status=2)
    assert "somebody changed it" in ended.failed
    assert archive.name.removesuffix(".tar.gz") in ended.failed
    other.write_bytes(archive.read_bytes()[:500])
    assert "is no bundle" in pod(other.as_uri(), status=2)[0].failed


@pytest.mark.parametrize("name", ["../outside", "/outside", "link"])
def test_an_archive_with_what_no_bundle_holds_is_refused_and_writes_nothing_outside(tmp_path, name):
    import tarfile

    from trimtab.adapters.projects.archive import unarchived
    from trimtab.api.errors import InputRefused

    packed = tmp_path / "churn-0123456789abcdef.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(InputRefused, match="which no bundle holds"):
        unarchived(packed.as_uri(), tmp_path / "in")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("file:///nowhere/churn-0123456789abcdef.tar.gz", "there is no file:///nowhere"),
        ("s3://projects/churn.zip", "names no bundle"),
        ("ftp://projects/churn-0123456789abcdef.tar.gz", "cannot be read"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(pod, address, said):
    ended, _ = pod(address, status=2)
    assert said in ended.failed


def test_a_parameter_that_the_pipeline_does_not_have_is_refused(archive, pod):
    ended, _ = pod(archive.as_uri(), parameters={"until": UNTIL, "windw": "90d"}, status=2)
    assert "no parameter 'windw'" in ended.failed


def test_a_platform_that_the_project_does_not_have_is_refused(archive, pod):
    ended, _ = pod(archive.as_uri(), "--platform", "cluster", status=2)
    assert "cluster" in ended.failed
    assert "platform.yaml" in ended.failed


def test_the_same_bundle_gives_the_same_archive(archive, project, tmp_path):
    from trimtab.adapters.projects.archive import archive as write

    bundle = next(Path(project[0]).glob(".trimtab/bundles/churn-*"))
    assert write(bundle, tmp_path).read_bytes() == archive.read_bytes()

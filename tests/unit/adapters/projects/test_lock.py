"""The lock file beside trimtab.yaml: which one it is, and that it travels with the project."""

import hashlib

import pytest

from tests.unit.adapters.projects.test_files_of_a_project import PROJECT
from trimtab.adapters.projects.archive import archive, unarchived
from trimtab.adapters.projects.bundle import content, pack
from trimtab.adapters.projects.load import load
from trimtab.adapters.projects.lock import LOCKS, lock_of
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import Lock

PINNED = "numpy==2.4.6 \\\n    --hash=sha256:0a\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "project"
    made.mkdir()
    (made / "trimtab.yaml").write_text(PROJECT)
    (made / "features.py").write_text("REQUEST = None\n")
    return made


def lock(folder):
    """What a run of the folder's bundle records."""
    return lock_of(folder, content(load(folder)))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_recorded_by_its_bytes_and_comes_out_of_bundle_and_archive_the_same(
    folder, tmp_path, name
):
    (folder / name).write_text(PINNED)
    held = Lock(file=name, digest=hashlib.sha256(PINNED.encode()).hexdigest())
    bundle = pack(load(folder), tmp_path / "bundles")
    assert lock(folder) == lock(bundle) == held
    address = str(archive(bundle, tmp_path / "storage"))
    there = unarchived(f"file://{address}", tmp_path / "there")
    assert lock(there.root) == held
    (folder / name).write_text(PINNED.replace("0a", "0b"))
    assert pack(load(folder), tmp_path / "bundles") != bundle


def test_a_project_without_a_lock_file_has_the_bundle_that_it_had(folder, tmp_path):
    (folder / "requirements.txt").write_text("numpy>=2\n")
    assert lock(folder) == Lock()
    assert not lock(folder)
    assert content(load(folder)) == ["features.py", "trimtab.yaml"]


def test_of_several_the_first_in_order_counts_and_the_others_stay_at_home(folder):
    for name in LOCKS:
        (folder / name).write_text(PINNED)
    (folder / "requirements.txt").write_text("numpy>=2\n")
    assert lock(folder).file == LOCKS[0]
    (folder / LOCKS[0]).unlink()
    (folder / ".trimtabignore").write_text("requirements.lock\n")
    assert lock(folder).file == "uv.lock"
    assert content(load(folder)) == ["features.py", "trimtab.yaml", "uv.lock"]


def test_a_password_in_it_is_refused_unless_the_file_stays_at_home(folder, tmp_path):
    (folder / "uv.lock").write_text("https://${USER}:${TOKEN}@packages.example.com/simple")
    assert lock(folder).file == "uv.lock"
    (folder / "uv.lock").write_text("https://me:hunter2@packages.example.com/simple")
    with pytest.raises(InputRefused, match=r"uv\.lock holds a password") as refused:
        pack(load(folder), tmp_path / "bundles")
    assert "hunter2" not in str(refused.value)
    (folder / ".trimtabignore").write_text("uv.lock\n")
    assert content(load(folder)) == ["features.py", "trimtab.yaml"]

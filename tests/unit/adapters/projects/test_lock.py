"""The lock file beside trimtab.yaml: which one it is, and that a bundle and its archive tell of it."""

import hashlib

import pytest

from tests.unit.adapters.projects.test_files_of_a_project import PROJECT
from trimtab.adapters.projects.archive import archive, fetched, lock_in, put, unarchived
from trimtab.adapters.projects.bundle import content, pack
from trimtab.adapters.projects.load import load
from trimtab.adapters.projects.lock import LOCKS, NOTE, lock_of
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


def held(name, text=PINNED):
    return Lock(file=name, digest=hashlib.sha256(text.encode()).hexdigest())


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_recorded_by_its_bytes_and_bundle_and_archive_say_the_same(folder, tmp_path, name):
    without = pack(load(folder), tmp_path / "bundles")
    assert lock_of(without) == Lock()
    (folder / name).write_text(PINNED)
    bundle = pack(load(folder), tmp_path / "bundles")
    assert bundle == without, "it is no part of the bundle's content"
    assert lock_of(folder) == lock_of(bundle) == held(name)
    assert not (bundle / name).exists()
    address = str(archive(bundle, tmp_path / "storage"))
    there = unarchived(f"file://{address}", tmp_path / "there")
    assert lock_of(there.root) == held(name)
    assert lock_of(pack(there, tmp_path / "elsewhere")) == held(name)


def test_the_newest_lock_file_is_noted_in_bundle_and_storage(folder, tmp_path):
    storage, bundles = (tmp_path / "storage").as_uri(), tmp_path / "bundles"
    told = []
    for text in (PINNED, PINNED.replace("0a", "0b"), None):
        (folder / "uv.lock").write_text(text) if text else (folder / "uv.lock").unlink()
        bundle = pack(load(folder), bundles)
        told.append((lock_of(bundle), lock_in(fetched(put(bundle, storage)))))
    second = held("uv.lock", PINNED.replace("0a", "0b"))
    assert told == [(held("uv.lock"),) * 2, (second,) * 2, (Lock(),) * 2]


def test_a_project_without_a_lock_file_has_none(folder):
    (folder / "requirements.txt").write_text("numpy>=2\n")
    (folder / "uv.lock").mkdir()
    assert lock_of(folder) == Lock()
    assert not lock_of(folder)


def test_of_several_the_first_in_order_counts(folder):
    for name in LOCKS:
        (folder / name).write_text(PINNED)
    (folder / "requirements.txt").write_text("numpy>=2\n")
    assert lock_of(folder).file == LOCKS[0]
    (folder / LOCKS[0]).unlink()
    (folder / "requirements.lock").unlink()
    assert lock_of(folder).file == "uv.lock"
    assert content(load(folder)) == ["features.py", "trimtab.yaml"]


def test_a_file_that_is_no_note_counts_for_nothing_and_is_never_packed(folder):
    (folder / NOTE).write_bytes(b"\xff not ours")
    (folder / "uv.lock").write_text(PINNED)
    assert lock_of(folder).file == "uv.lock"
    (folder / NOTE).write_text("not ours\n")
    (folder / "trimtab.yaml").write_text(PROJECT.replace("features.py", NOTE))
    with pytest.raises(InputRefused, match="never packed"):
        content(load(folder))

"""The commit of a project's files, as a checkout, a bundle and its archive tell it."""

import subprocess

import pytest

from tests.unit.adapters.projects.test_files_of_a_project import PROJECT
from trimtab.adapters.projects.archive import archive, commit_in, put, unarchived
from trimtab.adapters.projects.bundle import content, digest, pack
from trimtab.adapters.projects.commit import NOTE, noted
from trimtab.adapters.projects.load import load
from trimtab.api.errors import InputRefused
from trimtab.api.provenance import Code


@pytest.fixture
def folder(tmp_path):
    """A project outside any checkout."""
    made = tmp_path / "project"
    made.mkdir()
    (made / "trimtab.yaml").write_text(PROJECT)
    (made / "features.py").write_text("REQUEST = None\n")
    (made / "rows.csv").write_text("x,y\n")
    return made


def git(folder, *arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder):
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", "m")
    return git(folder, "rev-parse", "HEAD")


def code(bundle):
    """What a run of the bundle records."""
    return noted(bundle, digest(bundle, content(load(bundle))))


def test_a_bundle_tells_the_checkout_s_commit_and_its_digest_does_not(folder, tmp_path):
    bare = pack(load(folder), tmp_path / "bare")
    assert code(bare) == Code()
    held = commit(folder)
    bundle = pack(load(folder), tmp_path / "bundles")
    assert code(bundle) == Code(commit=held)
    assert bundle.name == bare.name
    assert content(load(bundle)) == content(load(bare)) == ["features.py", "trimtab.yaml"]


@pytest.mark.parametrize("how", ["edited", "untracked", "ignored"])
def test_changes_on_top_are_told_where_they_are_of_the_bundle_s_files(folder, tmp_path, how):
    if how == "edited":
        held = commit(folder)
        (folder / "features.py").write_text("REQUEST = 1\n")
    else:
        git(folder, "init", "-q")
        (folder / (".git/info/exclude" if how == "ignored" else "other")).write_text("features.py\n")
        git(folder, "add", "trimtab.yaml")
        git(folder, "commit", "-q", "-m", "m")
        held = git(folder, "rev-parse", "HEAD")
    assert code(pack(load(folder), tmp_path / "bundles")) == Code(commit=held, changed=True)


def test_changes_of_other_files_are_none(folder, tmp_path):
    held = commit(folder)
    (folder / "rows.csv").write_text("x,y\n1,2\n")
    (folder / "notes").write_text("of another matter")
    assert code(pack(load(folder), tmp_path / "bundles")) == Code(commit=held)


def test_the_archive_of_a_checkout_tells_its_commit_where_there_is_none(folder, tmp_path):
    held = commit(folder)
    packed = archive(pack(load(folder), tmp_path / "bundles"), tmp_path / "storage")
    loaded = unarchived(packed.as_uri(), tmp_path / "elsewhere")
    bundle = pack(loaded, tmp_path / "home")
    assert code(bundle) == Code(commit=held)
    assert packed.name == f"{bundle.name}.tar.gz"
    assert archive(bundle, tmp_path / "again").read_bytes() == packed.read_bytes()


def test_files_that_were_changed_since_are_no_longer_of_the_commit_that_came_with_them(folder, tmp_path):
    commit(folder)
    packed = archive(pack(load(folder), tmp_path / "bundles"), tmp_path / "storage")
    loaded = unarchived(packed.as_uri(), tmp_path / "elsewhere")
    (loaded.root / "features.py").write_text("REQUEST = 2\n")
    assert code(pack(load(loaded.root), tmp_path / "home")) == Code()


def test_a_bundle_and_its_archive_follow_the_commits_that_hold_their_files(folder, tmp_path):
    bundles, storage = tmp_path / "bundles", (tmp_path / "storage").as_uri()

    def told():
        bundle = pack(load(folder), bundles)
        address = put(bundle, storage)
        told = commit_in((tmp_path / "storage" / f"{bundle.name}.tar.gz").read_bytes(), bundle.name)
        assert told == code(bundle)
        assert address.endswith(f"{bundle.name}.tar.gz")
        return told

    assert told() == Code()
    first = commit(folder)
    assert told() == Code(commit=first)
    second = commit(folder)
    assert told() == Code(commit=second)
    git(folder, "rm", "-q", "--cached", "features.py")
    git(folder, "commit", "-q", "-m", "without")
    assert told() == Code(commit=second)  # the new commit does not hold what the older one does
    (folder / ".git").rename(tmp_path / "gone")
    assert told() == Code(commit=second)
    assert not list(bundles.glob(".making-*"))
    assert len(list((tmp_path / "storage").iterdir())) == 1


@pytest.mark.parametrize("text", ["", "no commit\n", "a" * 40 + " " + "0" * 64 + "\n", "\xff"])
def test_a_note_that_is_none_or_another_bundle_s_tells_nothing(folder, tmp_path, text):
    bundle = pack(load(folder), tmp_path / "bundles")
    (bundle / NOTE).write_text(text, encoding="latin-1")
    assert code(bundle) == Code()


def test_an_archive_that_is_none_tells_nothing_and_is_replaced(folder, tmp_path):
    held = commit(folder)
    bundle = pack(load(folder), tmp_path / "bundles")
    broken = tmp_path / f"{bundle.name}.tar.gz"
    broken.write_bytes(b"half")
    put(bundle, tmp_path.as_uri())
    assert commit_in(broken.read_bytes(), bundle.name) == Code(commit=held)


def test_no_project_has_a_file_in_the_note_s_place(folder, tmp_path):
    (folder / "trimtab.yaml").write_text(PROJECT.replace("features.py", NOTE))
    (folder / NOTE).write_text("")
    with pytest.raises(InputRefused, match="never packed"):
        pack(load(folder), tmp_path / "bundles")

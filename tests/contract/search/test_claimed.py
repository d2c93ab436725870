"""The studies of one search: of one process at a time, and there for the next one until they are cleared."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("search")


@pytest.fixture
def said() -> list[str]:
    return []


def tried(studies: Any) -> int:
    from trimtab.ports.studies import Ended, Settings

    study = studies.open("search", Settings(False, "tpe", "none", 7, 100, 300))
    study.tell(study.ask_own().number, Ended("complete", 1.0, 0.5, (0.5,)), 1.0)
    return len(study.tried)


def claim(folder: Path, said: list[str]) -> Any:
    from trimtab.adapters.optuna import claimed

    return claimed(folder / "searches/one", folder / "aside.db", said.append)


def test_who_comes_after_it_goes_on_until_they_are_cleared(tmp_path: Path, said: list[str]) -> None:
    first = claim(tmp_path, said)
    assert tried(first) == 1
    del first
    second = claim(tmp_path, said)
    assert tried(second) == 2
    second.clear()
    assert not (tmp_path / "searches/one").exists()
    assert tried(claim(tmp_path, said)) == 1
    assert said == []


def test_a_search_that_another_process_makes_is_left_alone(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "searches/one").mkdir(parents=True)
    with (tmp_path / "searches/one/lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        aside = claim(tmp_path, said)
        assert tried(aside) == 1
        assert not (tmp_path / "searches/one/search.db").exists()
        aside.clear()
        assert not (tmp_path / "aside.db").exists()
    assert said == [
        "another process makes the very same search: this one begins anew, and is not gone on with if it is killed"
    ]


def test_a_lock_that_was_removed_in_between_is_nobodys(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who had it clears it after this process has opened the file, and before it has the lock."""
    first, lock = claim(tmp_path, said), fcntl.flock

    def late(file: Any, how: int) -> None:
        first.clear()
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", late)
    assert tried(claim(tmp_path, said)) == 1
    assert (tmp_path / "aside.db").exists()
    assert said[0].startswith("another process has just made the very same search")


def test_a_volume_that_locks_nothing_is_told(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such file system is at hand: the call answers as that of one does."""

    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert tried(claim(tmp_path, said)) == 1
    assert "locks no files (No locks available)" in said[0]
    assert (tmp_path / "aside.db").exists()


def test_a_folder_that_cannot_be_written_is_the_surroundings_fault(tmp_path: Path, said: list[str]) -> None:
    from trimtab.api.errors import SurroundingsFailed

    (tmp_path / "searches").write_text("a file")
    with pytest.raises(SurroundingsFailed, match=r"searches/one: cannot be written"):
        claim(tmp_path, said)

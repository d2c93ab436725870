"""The loop's memory in SQLite: versions, orders, events; and what a broken disk says."""

import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest

from trimtab.adapters.clock import ReplayClock, WallClock
from trimtab.adapters.profiles import FolderProfiles
from trimtab.adapters.state import SqliteState
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.state import Act, Conflict, Event

T = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def test_a_write_names_the_version_that_it_was_decided_on(path):
    state = SqliteState(path)
    assert state.read("Kind", "x") is None
    first = state.write("Kind", "x", {"a": 1}, None)
    second = state.write("Kind", "x", {"a": 2}, first, durable=False)
    assert state.read("Kind", "x").body == {"a": 2}
    for stale in (None, first, "9"):
        with pytest.raises(Conflict):
            state.write("Kind", "x", {"a": 3}, stale)
    assert state.read("Kind", "x").version == second
    with pytest.raises(Conflict):
        state.write("Kind", "y", {}, "1")


def test_status_and_events_are_written_together_or_not_at_all(path):
    state = SqliteState(path)
    event = Event(T, "Kind", "Promoted", "ab", "because", {"loss": 0.5, "said": "Pass", "none": None})
    version = state.write("Kind", "x", {}, None, [event])
    with pytest.raises(Conflict):
        state.write("Kind", "x", {}, "7", [event])
    assert state.events() == [(1, event)]
    state.write("Kind", "x", {}, version, [event, event])
    assert [number for number, _ in state.events(after=1)] == [2, 3]


def test_another_process_is_noticed(path):
    state, other = SqliteState(path), SqliteState(path)
    seen = state.seen()
    assert state.seen() == seen
    other.order("x", Act("1", "abort", "ab", "", "Ann", T))
    assert state.seen() != seen
    seen = state.seen()
    state.suspend("x", True)
    assert state.seen() != seen


def test_the_newest_order_stands(path):
    state = SqliteState(path)
    assert state.act("x") is None
    for id in ("1", "2", "2"):
        state.order("x", Act(id, "abort", "ab", "s", "Ann", T))
    assert SqliteState(path).act("x") == Act("2", "abort", "ab", "s", "Ann", T)


def test_suspension_lasts_until_it_is_lifted(path):
    state = SqliteState(path)
    state.suspend("x", True)
    state.suspend("x", True)
    assert SqliteState(path).suspended("x")
    state.suspend("x", False)
    assert not state.suspended("x")


def _count(path, times):
    state = SqliteState(path)
    for _ in range(times):
        while True:
            held = state.read("Kind", "x")
            try:
                state.write("Kind", "x", {"n": held.body["n"] + 1}, held.version)
                break
            except Conflict:
                continue


def test_two_processes_lose_no_write(path):
    SqliteState(path).write("Kind", "x", {"n": 0}, None)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(path, 20)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert SqliteState(path).read("Kind", "x").body == {"n": 40}


def test_a_file_that_is_no_database_is_told_so(path):
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(SurroundingsFailed, match=r"state\.db"):
        SqliteState(path)


def test_a_folder_that_cannot_be_made_is_told_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SurroundingsFailed, match="cannot be used"):
        SqliteState(tmp_path / "file" / "state.db")


def test_a_closed_state_is_told_so(path):
    state = SqliteState(path)
    state.close()
    with pytest.raises(SurroundingsFailed):
        state.write("Kind", "x", {}, None)


def test_clocks():
    replay = ReplayClock(T)
    replay.by(timedelta(hours=1))
    assert (replay.now(), replay.monotonic_s()) == (T + timedelta(hours=1), 3600.0)
    with pytest.raises(ValueError, match="go back"):
        replay.advance(T)
    wall = WallClock()
    assert wall.now().tzinfo is UTC
    assert wall.monotonic_s() <= wall.monotonic_s()


def test_profiles_are_read_beside_the_model(tmp_path):
    (tmp_path / "profile.json").write_bytes(b"{}")
    assert FolderProfiles().profile(str(tmp_path)) == b"{}"
    assert FolderProfiles().profile(tmp_path.as_uri()) == b"{}"
    with pytest.raises(InputRefused, match="no profile"):
        FolderProfiles().profile(str(tmp_path / "nowhere"))
    (tmp_path / "odd" / "profile.json").mkdir(parents=True)
    with pytest.raises(SurroundingsFailed):
        FolderProfiles().profile(str(tmp_path / "odd"))

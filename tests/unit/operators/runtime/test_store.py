"""A store fed by a watch and by own writes, in any order that the network allows, ends up as the API server is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operators.drift.runtime.resource import Key, key_of, uid_of
from operators.drift.runtime.store import Store

NAMES = ("a", "b", "c")
ACTS = st.lists(
    st.tuples(st.sampled_from(("write", "delete")), st.sampled_from(NAMES), st.booleans()), max_size=25
)


def thing(name: str, uid: str, version: int, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata}


class Server:
    """What an API server does to a few names: a history of states, told in order to whoever watches."""

    def __init__(self) -> None:
        self.version = 10
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []

    def write(self, name: str) -> dict[str, Any]:
        self.version += 1
        held = self.objects.get(name)
        uid = held["metadata"]["uid"] if held else f"u{self.version}"
        self.objects[name] = thing(name, uid, self.version, parity=str(self.version % 2))
        self.events.append(("PUT", self.objects[name]))
        return self.objects[name]

    def delete(self, name: str) -> dict[str, Any] | None:
        held = self.objects.pop(name, None)
        if held is not None:
            self.version += 1
            self.events.append(("DELETED", thing(name, held["metadata"]["uid"], self.version)))
        return held


@given(acts=ACTS, data=st.data())
def test_own_writes_are_read_at_once_and_never_undone_and_the_end_is_the_servers(
    acts: Any, data: st.DataObject
) -> None:
    """Each own write is assumed after any part of the watch has been told, its own event included or not."""
    server, store = Server(), Store(indexed_labels=["parity"])
    told = 0

    def tell(until: int) -> None:
        nonlocal told
        for kind, obj in server.events[told:until]:
            store.put(obj) if kind == "PUT" else store.drop(obj)
        told = max(told, until)

    for act, name, ours in acts:
        answer = server.write(name) if act == "write" else server.delete(name)
        tell(data.draw(st.integers(told, len(server.events))))
        if not ours or answer is None:
            continue
        if act == "write":
            store.assume(answer)
            held = store.get("n", name)
            assert held is not None
            assert int(held["metadata"]["resourceVersion"]) >= server.version
        else:
            store.assume_deleted(answer)
            held = store.get("n", name)
            assert held is None or uid_of(held) != uid_of(answer)
        before = store.get("n", name)
        tell(data.draw(st.integers(told, len(server.events))))
        assert store.get("n", name) == before  # older news undo nothing
    tell(len(server.events))
    assert {key_of(obj).name: obj for obj in store.list()} == server.objects
    for parity in "01":
        wanted = [
            obj for _, obj in sorted(server.objects.items()) if obj["metadata"]["labels"]["parity"] == parity
        ]
        assert list(store.list("n", {"parity": parity})) == wanted


@given(acts=ACTS, gap=st.integers(0, 25), data=st.data())
def test_a_list_after_a_gap_finds_what_was_deleted_in_it(acts: Any, gap: int, data: st.DataObject) -> None:
    """Some events are told, the rest is lost; a list of a later moment, then the watch from there."""
    server, store = Server(), Store()
    for number, (act, name, _) in enumerate(acts):
        server.write(name) if act == "write" else server.delete(name)
        if number < gap:
            for kind, obj in server.events[-1:]:
                store.put(obj) if kind == "PUT" else store.drop(obj)
    listed, version = list(server.objects.values()), server.version
    mine = server.write(data.draw(st.sampled_from(NAMES)))
    store.assume(mine)
    for obj in listed:
        store.listed(obj, version)
    store.all_listed({key_of(obj) for obj in listed}, version)
    assert store.get("n", mine["metadata"]["name"]) == mine
    assert {key_of(obj).name: obj for obj in store.list()} == server.objects


def test_an_etcd_that_was_restored_is_believed() -> None:
    store = Store()
    store.put(thing("a", "u1", 500))
    store.put(thing("b", "u2", 510))
    old = thing("a", "u1", 90)
    store.listed(old, 100)
    store.all_listed({Key("n", "a")}, 100)
    assert store.list() == [old]
    assert store.version == 100


def test_an_answer_slower_than_the_news_of_the_deletion_brings_nothing_back() -> None:
    store = Store()
    store.drop(thing("a", "u1", 12))
    assert store.assume(thing("a", "u1", 11)) is None
    assert store.get("n", "a") is None


def test_a_name_whose_object_was_deleted_is_not_brought_back_by_an_earlier_object_of_that_name() -> None:
    store = Store()
    store.assume(thing("a", "u1", 11))
    store.assume_deleted(thing("a", "u2", 14))  # somebody deleted the first and made another: not told yet
    assert store.get("n", "a") is None
    store.put(thing("a", "u1", 12))
    store.drop(thing("a", "u1", 13))
    assert store.get("n", "a") is None
    store.put(thing("a", "u3", 16))
    assert store.get("n", "a") == thing("a", "u3", 16)


def test_an_index_finds_by_what_it_was_told_to() -> None:
    store = Store(indexes={"uid": lambda obj: [uid_of(obj)]})
    store.put(thing("a", "u1", 1))
    store.put(thing("b", "u2", 2))
    assert [key_of(obj).name for obj in store.by("uid", "u2")] == ["b"]
    store.drop(thing("b", "u2", 3))
    assert store.by("uid", "u2") == []

"""A kind's objects as last known: by key, by label, by index; own writes at once, never undone by older news.

One etcd counts all writes, so resourceVersions of a kind tell which news is newer (comparable by contract since
Kubernetes 1.35). Three rules follow, and need no list of what is awaited:

- of two states of an object, the one with the greater version stands;
- the watch has told all up to `version`; so an own write not beyond it, whose object is not here, is of an object
  that is gone since (its answer was slower than the watch);
- of a name whose object we deleted, states up to that one's are old news, until the watch has told of its end too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from threading import Lock
from typing import TypeVar

from operators.drift.runtime.resource import Key, Object, key_of, labels_of, uid_of, version_of

Place = TypeVar("Place")
Index = Callable[[Object], Iterable[str]]
Change = tuple[Object | None, Object | None]
"""What an object was and what it is; None for not there."""


class Store:
    """Threads read; one thread, the event loop's, writes. Each write answers with the change that it made, if any."""

    def __init__(
        self, *, indexed_labels: Iterable[str] = (), indexes: Mapping[str, Index] | None = None
    ) -> None:
        """
        Args:
            indexed_labels: labels by which `list` finds without looking at all.
            indexes: by name, what an object is found by (`by`).
        """
        self._objects: dict[Key, Object] = {}
        self._namespaces: dict[str, set[Key]] = defaultdict(set)
        self._found: dict[tuple[str, str], set[Key]] = defaultdict(set)
        self._indexes = {_label(name): _label_value(name) for name in indexed_labels} | dict(indexes or {})
        self._gone: dict[Key, int] = {}
        self._lock = Lock()
        self.version = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: Key) -> bool:
        return key in self._objects

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get(Key(namespace, name))

    def list(self, namespace: str = "", labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        """All of a namespace ("" for every one) that carry these labels, by namespace and name."""
        wanted = dict(labels or {})
        with self._lock:
            keys = self._candidates(namespace, wanted)
            found = [(key, self._objects[key]) for key in keys if not namespace or key.namespace == namespace]
        found.sort(key=lambda pair: pair[0])
        return [obj for _, obj in found if wanted.items() <= labels_of(obj).items()]

    def by(self, index: str, value: str) -> Sequence[Object]:
        """All whose index function gave this value, by namespace and name."""
        with self._lock:
            return [self._objects[key] for key in sorted(self._found.get((index, value), ()))]

    def keys(self) -> Sequence[Key]:
        with self._lock:
            return list(self._objects)

    def put(self, obj: Object) -> Change | None:
        """The watch says that this is so."""
        self.version = max(self.version, version_of(obj))
        return self._newer(obj)

    def drop(self, obj: Object) -> Change | None:
        """The watch says that this is gone; its version is the deletion's."""
        self.version = max(self.version, version_of(obj))
        if version_of(obj) >= self._gone.get(key_of(obj), 0):
            self._gone.pop(key_of(obj), None)
        held = self._objects.get(key_of(obj))
        if held is None or version_of(held) > version_of(obj):
            return None
        return self._set(key_of(obj), None)

    def bookmark(self, version: int) -> None:
        """The watch has told all up to here."""
        self.version = max(self.version, version)

    def assume(self, obj: Object) -> Change | None:
        """We wrote this, and the API server answered so."""
        if key_of(obj) not in self._objects and version_of(obj) <= self.version:
            return None
        return self._newer(obj)

    def assume_deleted(self, obj: Object) -> Change | None:
        """We deleted this very object, and nothing holds it back."""
        key, version = key_of(obj), version_of(obj)
        held = self._objects.get(key)
        if held is not None and version_of(held) > version:
            # a later one of this name, or a later state of this one, which is gone too
            if uid_of(held) != uid_of(obj):
                return None
            version = version_of(held)
        if held is not None or version > self.version:  # else the watch has told of its end already
            self._gone[key] = version
        return self._set(key, None)

    def listed(self, obj: Object, version: int) -> Change | None:
        """A list of the moment `version` has this. A moment before ours means an etcd that was restored."""
        restored = version < self.version
        if restored:
            self._gone.pop(key_of(obj), None)
        return self._newer(obj, believe=restored)

    def all_listed(self, keys: AbstractSet[Key], version: int) -> Sequence[Change]:
        """The list of the moment `version` had just these: all else is gone, but what we wrote after it."""
        restored = version < self.version
        missing = [
            key
            for key, obj in self._objects.items()
            if key not in keys and (restored or version_of(obj) <= version)
        ]
        self.version = version
        if restored:
            self._gone.clear()
        else:
            self._gone = {key: gone for key, gone in self._gone.items() if key in keys or gone > version}
        return [change for key in missing if (change := self._set(key, None))]

    def clear(self) -> Sequence[Change]:
        """The kind is gone, and its objects with it."""
        self._gone.clear()
        return [change for key in list(self._objects) if (change := self._set(key, None))]

    def _newer(self, obj: Object, *, believe: bool = False) -> Change | None:
        if version_of(obj) <= self._gone.get(key_of(obj), 0):
            return None
        self._gone.pop(key_of(obj), None)
        held = self._objects.get(key_of(obj))
        if held is not None and version_of(obj) <= version_of(held) and not (believe and obj != held):
            return None
        return self._set(key_of(obj), obj)

    def _candidates(self, namespace: str, labels: Mapping[str, str]) -> AbstractSet[Key]:
        sets: list[AbstractSet[Key]] = [
            self._found.get((_label(name), value), frozenset())
            for name, value in labels.items()
            if _label(name) in self._indexes
        ]
        if namespace:
            sets.append(self._namespaces.get(namespace, frozenset()))
        return min(sets, key=len) if sets else self._objects.keys()

    def _set(self, key: Key, new: Object | None) -> Change | None:
        with self._lock:
            old = self._objects.get(key)
            if old is not None:
                _leave(self._namespaces, key.namespace, key)
                for place in self._places(old):
                    _leave(self._found, place, key)
            if new is None:
                self._objects.pop(key, None)
            else:
                self._objects[key] = new
                self._namespaces[key.namespace].add(key)
                for place in self._places(new):
                    self._found[place].add(key)
        return None if old is None and new is None else (old, new)

    def _places(self, obj: Object) -> Iterable[tuple[str, str]]:
        return {(name, value) for name, values in self._indexes.items() for value in values(obj)}


def _leave(sets: dict[Place, set[Key]], place: Place, key: Key) -> None:
    members = sets[place]
    members.discard(key)
    if not members:
        del sets[place]


def _label(name: str) -> str:
    return f"label {name}"


def _label_value(name: str) -> Index:
    return lambda obj: (value,) if (value := labels_of(obj).get(name)) is not None else ()

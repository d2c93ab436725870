"""What is kept in memory by watches: one reflector for each kind, label and namespace that is watched.

Namespaced mode watches each of its namespaces by itself, since its account may not look beyond them, but for what has
no namespace, or serves all of them.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from operators.drift.runtime import Client, Object, Reflector, Resource
from trimtab.ports.cluster import Kind

EVERYWHERE = ("",)


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind that is watched.

    Attributes:
        label: only objects that carry this label; "" for all.
        value: of the label; "" for any.
        everywhere: in namespaces that are not looked after, too.
    """

    kind: Kind
    label: str = ""
    value: str = ""
    everywhere: bool = False


def resource_of(kind: Kind) -> Resource:
    """The runtime's name of a kind."""
    return Resource(kind.group, kind.version, kind.kind, kind.plural, kind.namespaced)


class Caches:
    """Every reflector of this process.

    Args:
        namespaces: those that are watched; empty for all.
    """

    def __init__(self, client: Client, watched: Iterable[Watched], namespaces: Sequence[str]) -> None:
        self.namespaces = tuple(namespaces)
        self._reflectors: dict[Kind, list[tuple[str, str, Reflector]]] = {}
        for one in watched:
            everywhere = one.everywhere or not one.kind.namespaced
            for namespace in EVERYWHERE if everywhere else namespaces or EVERYWHERE:
                reflector = Reflector(
                    client,
                    resource_of(one.kind),
                    namespace=namespace,
                    labels={one.label: one.value} if one.label else None,
                    indexed_labels=(one.label,) if one.label else (),
                )
                self._reflectors.setdefault(one.kind, []).append((namespace, one.label, reflector))

    def __contains__(self, kind: Kind) -> bool:
        return kind in self._reflectors

    def holds(self, kind: Kind, labels: Mapping[str, str] | None) -> bool:
        """Whether all objects with these labels are watched; of some kinds only those that carry a label are."""
        return any(not label or label in (labels or {}) for _, label, _ in self._reflectors.get(kind, []))

    def all(self) -> Iterator[Reflector]:
        for held in self._reflectors.values():
            for _, _, reflector in held:
                yield reflector

    def of(self, kind: Kind, namespace: str = "") -> list[Reflector]:
        """Those that hold a kind's objects of a namespace; of all that are watched, for ""."""
        return [
            reflector
            for watched, _, reflector in self._reflectors.get(kind, [])
            if not (watched and namespace) or watched == namespace
        ]

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        found = (reflector.store.get(namespace, name) for reflector in self.of(kind, namespace))
        return next((obj for obj in found if obj is not None), None)

    def list(self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        reflectors = self.of(kind, namespace)
        if len(reflectors) == 1:
            return reflectors[0].store.list(namespace, labels)
        found = {
            (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj
            for reflector in reflectors
            for obj in reflector.store.list(namespace, labels)
        }
        return [found[key] for key in sorted(found)]

    def assume(self, obj: Object, kind: Kind) -> None:
        """What we wrote is there at once. On the event loop's thread only."""
        labels = obj["metadata"].get("labels") or {}
        namespace = obj["metadata"].get("namespace", "")
        for watched, label, reflector in self._reflectors.get(kind, []):
            if (not watched or watched == namespace) and (not label or label in labels):
                reflector.assume(obj)

    def assume_deleted(self, obj: Object, kind: Kind) -> None:
        """What we deleted is gone at once. On the event loop's thread only."""
        for reflector in self.of(kind, obj["metadata"].get("namespace", "")):
            reflector.assume_deleted(obj)

    def subscribe(self, kind: Kind, seen: Callable[[Object | None, Object | None], None]) -> None:
        for reflector in self.of(kind):
            reflector.subscribe(seen)

    @property
    def synced(self) -> bool:
        return all(reflector.synced or not reflector.installed for reflector in self.all())

    async def run(self) -> None:
        """For ever; a reflector that fails ends them all."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.all():
                group.create_task(reflector.run())

    async def wait_synced(self, timeout_s: float) -> bool:
        return all(await asyncio.gather(*(reflector.wait_synced(timeout_s) for reflector in self.all())))

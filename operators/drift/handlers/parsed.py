"""Resources as their handlers read them, each version once."""

from typing import Generic, TypeVar

from trimtab.api.resources.meta import Resource
from trimtab.ports.cluster import Object

R = TypeVar("R", bound=Resource)


class Parsed(Generic[R]):
    """The last version of each resource of a kind. Objects of a cache are never changed: the same reads alike."""

    def __init__(self, model: type[R]) -> None:
        self._model = model
        self._held: dict[tuple[str, str], tuple[Object, R]] = {}

    def of(self, obj: Object) -> R:
        """Raises what `from_wire` does, each time."""
        key = obj["metadata"]["namespace"], obj["metadata"]["name"]
        held = self._held.get(key)
        if held is None or held[0] is not obj:
            held = self._held[key] = obj, self._model.from_wire(obj)
        return held[1]

    def forget(self, namespace: str, name: str) -> None:
        """The resource is gone."""
        self._held.pop((namespace, name), None)

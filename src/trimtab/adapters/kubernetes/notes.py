"""Small texts that outlive a status: one annotation that holds a JSON object of strings.

A model that is written into its rollout has no registry to tag; what must never be forgotten of it (which version is
stable, which is rejected) stands in the rollout's annotation, where a backup of the object has it.
"""

import json
from collections.abc import Iterator, MutableMapping

from trimtab.adapters.kubernetes.kinds import REGISTRY
from trimtab.adapters.kubernetes.lineage import Lineage
from trimtab.ports.cluster import Cluster, Kind, Object
from trimtab.ports.state import Conflict


class Notes(MutableMapping[str, str]):
    """The annotation of one object; a change is written before it returns.

    Args:
        lineage: is told of each write, so that a status that was decided on before it may still be written.

    Raises:
        Conflict: the object is gone, or somebody wrote it in between.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str,
        name: str,
        annotation: str = REGISTRY,
        lineage: Lineage | None = None,
    ) -> None:
        self._cluster, self._kind, self._namespace, self._name = cluster, kind, namespace, name
        self._annotation, self._lineage = annotation, lineage or Lineage()

    def __getitem__(self, key: str) -> str:
        return self._held()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __len__(self) -> int:
        return len(self._held())

    def __setitem__(self, key: str, value: str) -> None:
        held = self._held()
        if held.get(key) != value:
            self._write({**held, key: value})

    def __delitem__(self, key: str) -> None:
        held = self._held()
        del held[key]
        self._write(held)

    def _held(self) -> dict[str, str]:
        """Nothing where somebody else wrote into it: what is observed must do then."""
        obj = self._cluster.get(self._kind, self._namespace, self._name)
        if obj is None:
            return {}
        try:
            held = json.loads((obj["metadata"].get("annotations") or {}).get(self._annotation, "{}"))
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in held.items()} if isinstance(held, dict) else {}

    def _write(self, held: dict[str, str]) -> None:
        obj = self._cluster.get(self._kind, self._namespace, self._name)
        if obj is None:
            raise Conflict(f"{self._kind.kind} {self._namespace}/{self._name} is gone")
        text = json.dumps(held, separators=(",", ":"), sort_keys=True)
        written = self._cluster.replace(annotated(obj, self._annotation, text))
        self._lineage.wrote(obj["metadata"]["resourceVersion"], written["metadata"]["resourceVersion"])


def annotated(obj: Object, key: str, value: str) -> Object:
    """The object with one more annotation; the resourceVersion that it was read at stays in it."""
    annotations = {**(obj["metadata"].get("annotations") or {}), key: value}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}

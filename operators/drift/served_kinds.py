"""Whether the API server knows every field of our kinds: an operator may come before its CustomResourceDefinitions."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from operators.drift.runtime import ApiError, Client, NotFound
from trimtab.adapters.kubernetes.parts import KINDS
from trimtab.api.resources import GROUP, RESOURCES, VERSION
from trimtab.api.resources.crd import definition
from trimtab.api.resources.lacking import lacking
from trimtab.ports.cluster import Kind

PATH: Final = f"/openapi/v3/apis/{GROUP}/{VERSION}"
"""Every account may read it, other than a CustomResourceDefinition."""
AGAIN_S: Final = 30.0
NAMED: Final = 3
log = logging.getLogger(__name__)


class ServedKinds:
    """What each kind of ours lacks, as the API server serves it. Any thread may ask.

    Args:
        again_s: between two questions.
    """

    def __init__(self, client: Client, again_s: float = AGAIN_S) -> None:
        self._client, self._again_s = client, again_s
        self._lacks: dict[str, str] = {}

    def lacks(self, kind: Kind) -> str | None:
        """A sentence with its remedy; "" where nothing is missing; None while that is not known."""
        return self._lacks.get(kind.kind)

    async def run(self, changed: Callable[[str], None]) -> None:
        """Ask until nothing is missing; a kind that is not there at all is told of elsewhere.

        An API server publishes a new schema some 10 ms before it goes by it, and another one beside it goes by the
        old one for longer. So a kind that has become whole is told of a second time: a field that a first look at it
        wrote may have been dropped.

        Args:
            changed: told the name of a kind of which more is known now.
        """
        mended: set[str] = set()
        while True:
            lacked = {kind for kind, sentence in self._lacks.items() if sentence}
            whole = await self._asked(changed)
            for kind in mended:
                changed(kind)
            mended = {kind for kind in lacked if not self._lacks[kind]}
            if whole and not mended:
                return
            await asyncio.sleep(self._again_s)

    async def _asked(self, changed: Callable[[str], None]) -> bool:
        """Whether every kind has all of its fields."""
        try:
            document = await self._client.raw(PATH)
        except NotFound:
            return False
        except ApiError as error:
            log.debug("the kinds' schemas cannot be read: %s", error)
            return False
        said = await asyncio.to_thread(compared, schemas(document))
        for kind, sentence in said.items():
            before = self._lacks.get(kind)
            if sentence == before:
                continue
            self._lacks[kind] = sentence
            if sentence or before:
                log.warning(sentence or f"the kind {kind} of this cluster has every field by now")
            changed(kind)
        return len(said) == len(RESOURCES) and not any(said.values())


def compared(served: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What each kind that is served lacks of this release's."""
    return {
        kind: told(kind, [*lacking(_schema(definition(resource)), served[kind])])
        for resource in RESOURCES
        if (kind := resource.__name__) in served
    }


def _schema(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    held: Mapping[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return held


def schemas(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Of an OpenAPI document, those of objects, by kind."""
    return {
        one["kind"]: schema
        for schema in document.get("components", {}).get("schemas", {}).values()
        for one in schema.get("x-kubernetes-group-version-kind", ())
        if one["group"] == GROUP
    }


def told(kind: str, fields: Sequence[str]) -> str:
    """
    >>> told("DriftMonitor", ["spec.a", "status.b"])[:80]
    'the kind DriftMonitor of this cluster is older than the operator: it drops spec.'
    """
    if not fields:
        return ""
    more = f" and {len(fields) - NAMED} more" if len(fields) > NAMED else ""
    return (
        f"the kind {kind} of this cluster is older than the operator: it drops {', '.join(fields[:NAMED])}{more}, "
        f"and all else goes on; helm upgrade, or {KINDS}"
    )

"""When an operator looks again at the resources of a kind whose schema has changed."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from operators.drift.runtime import NotFound
from operators.drift.served_kinds import ServedKinds
from trimtab.api.resources import GROUP, RESOURCES, VERSION
from trimtab.api.resources.crd import definition

KINDS = [resource.__name__ for resource in RESOURCES]


class Published:
    """An API server's answers, one after another, and the last one from then on."""

    def __init__(self, documents: Sequence[Mapping[str, Any] | None]) -> None:
        self._documents, self.asked = documents, 0

    async def raw(self, path: str) -> Mapping[str, Any]:
        document = self._documents[min(self.asked, len(self._documents) - 1)]
        self.asked += 1
        if document is None:
            raise NotFound("not there")
        return document


def document(*, without: str = "") -> Mapping[str, Any]:
    """Every kind's schema; ModelRollout's without a field of its status."""
    schemas = {}
    for resource in RESOURCES:
        schema = deepcopy(definition(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        if without and resource.__name__ == "ModelRollout":
            del schema["properties"]["status"]["properties"][without]
        about = {"group": GROUP, "version": VERSION, "kind": resource.__name__}
        schemas[resource.__name__] = {**schema, "x-kubernetes-group-version-kind": [about]}
    return {"components": {"schemas": schemas}}


def told(*documents: Mapping[str, Any] | None) -> tuple[list[tuple[int, str]], Published]:
    """Of which kinds it told, after how many questions."""
    server = Published(documents)
    heard: list[tuple[int, str]] = []
    kinds: Any = ServedKinds(server, again_s=0)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(kinds.run(lambda kind: heard.append((server.asked, kind))), 20))
    return heard, server


def test_a_kind_that_becomes_whole_is_looked_at_twice_since_a_schema_is_told_before_it_is_in_effect() -> None:
    heard, server = told(document(without="shares"), document())
    assert [question for question, kind in heard if kind == "ModelRollout"] == [1, 2, 3]
    assert [question for question, kind in heard if kind != "ModelRollout"] == [1, 1]
    assert server.asked == 3


def test_kinds_that_were_whole_from_the_start_are_looked_at_once() -> None:
    heard, server = told(document())
    assert sorted(heard) == sorted((1, kind) for kind in KINDS)
    assert server.asked == 1


def test_it_asks_on_while_the_kinds_are_not_there() -> None:
    heard, server = told(None, None, document())
    assert sorted(heard) == sorted((3, kind) for kind in KINDS)
    assert server.asked == 3

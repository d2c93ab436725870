"""Fields of a kind that an API server does not know: it drops them from what is written, and says so to nobody."""

from collections.abc import Iterator, Mapping
from typing import Any

FREE = "x-kubernetes-preserve-unknown-fields"


def lacking(own: Mapping[str, Any], served: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Paths of fields that `own` has and `served` has not, the highest of each alone.

    Args:
        own: an OpenAPI schema, as of this release.
        served: that which the API server goes by.

    >>> own = {"properties": {"spec": {"properties": {"a": {}, "b": {"items": {"properties": {"c": {}}}}}}}}
    >>> list(lacking(own, {"properties": {"spec": {"properties": {"b": {"items": {}}}}}}))
    ['spec.a', 'spec.b[].c']
    """
    if served.get(FREE):
        return
    known: Mapping[str, Any] = served.get("properties", {})
    for name, schema in own.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        if name in known:
            yield from lacking(schema, known[name], path)
        else:
            yield path
    for inner, mark in (("items", "[]"), ("additionalProperties", ".*")):
        mine, theirs = own.get(inner), served.get(inner)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            yield from lacking(mine, theirs, f"{at}{mark}")

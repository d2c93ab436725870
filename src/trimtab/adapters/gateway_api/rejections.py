"""Which revisions stay out, noted on the route: it outlives a status, and a revision's own objects."""

import json
from collections.abc import Mapping
from typing import Final

from trimtab.adapters.children import Json
from trimtab.ports.cluster import Object

REJECTED: Final = "trimtab.dev/rejected"
KEPT: Final = 20


def rejected_on(held: Object | None) -> Mapping[str, str]:
    """Why a revision stays out, by revision, the newest last."""
    text = (held["metadata"].get("annotations") or {}).get(REJECTED, "{}") if held else "{}"
    try:
        return {str(name): str(because) for name, because in json.loads(text).items()}
    except (ValueError, AttributeError):
        return {}


def with_rejected(held: Object, rejected: Mapping[str, str]) -> Json:
    """The route with the newest of these noted on it."""
    meta, newest = {**held["metadata"]}, dict([*rejected.items()][-KEPT:])
    meta["annotations"] = {**(meta.get("annotations") or {}), REJECTED: json.dumps(newest)}
    return {**held, "metadata": meta}

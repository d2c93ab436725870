"""Events that were posted to the operator, kept in an annotation of each policy that waits for their type.

A policy holds the newest event of each type that its triggers name, and no more. Writing it wakes the policy.
"""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from trimtab.adapters.kubernetes.kinds import RETRAIN_POLICY
from trimtab.api.resources import GROUP
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.posted import Posted

POSTED: Final = f"{GROUP}/posted"


class PostedEvents:
    """ports.posted.Posts of one RetrainPolicy."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name

    def newest(self, type: str) -> Posted | None:
        obj = self._cluster.get(RETRAIN_POLICY, self._namespace, self._name)
        return posted(obj).get(type) if obj is not None else None


def posted(obj: Object) -> Mapping[str, Posted]:
    """The newest event of each type; what somebody else wrote there is as if it were not."""
    try:
        held = json.loads((obj["metadata"].get("annotations") or {}).get(POSTED, "{}"))
        return {
            str(type): Posted(str(one["id"]), str(type), datetime.fromisoformat(one["at"]).astimezone(UTC))
            for type, one in held.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def waits_for(obj: Object) -> Collection[str]:
    """The types that a policy's triggers name."""
    triggers: list[dict[str, Any]] = (obj.get("spec") or {}).get("triggers") or []
    return {str(one["event"]["type"]) for one in triggers if (one.get("event") or {}).get("type")}


def noted(obj: Object, event: Posted) -> str | None:
    """The annotation's text with one more event; None where it stands there already."""
    held = dict(posted(obj))
    if (before := held.get(event.type)) is not None and before.id == event.id:
        return None
    held[event.type] = event
    told = {
        type: {"id": one.id, "at": one.at.isoformat()}
        for type, one in sorted(held.items())
        if type in waits_for(obj)
    }
    return json.dumps(told, separators=(",", ":"))

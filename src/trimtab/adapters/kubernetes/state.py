"""State in one resource: its status subresource, its act annotation, its spec.suspend, and events about it.

The status holds what control remembers, and beside it what only Kubernetes wants (conditions, observedGeneration,
address): each writer keeps the other's fields. A write carries the resourceVersion that it was decided on, so that
of two writers the later one is refused.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from trimtab.adapters.kubernetes.conditions import Said, merged, shortened
from trimtab.adapters.kubernetes.kinds import EVENT
from trimtab.adapters.kubernetes.lineage import Lineage
from trimtab.adapters.kubernetes.notes import annotated
from trimtab.api.errors import InputRefused
from trimtab.api.resources import ACT, GROUP, ActRefused, Verb
from trimtab.api.resources import Act as Ordered
from trimtab.ports.cluster import Cluster, Kind, Object
from trimtab.ports.state import Act, Conflict, Document, Event

PUBLISHED: Final = frozenset(
    {"observedGeneration", "conditions", "address", "shares", "verdict", "coverage", "reportUrl", "current"}
)
"""Fields of a status that control does not remember."""
ALWAYS: Final[Mapping[str, Mapping[str, object]]] = {"ModelRollout": {"phase": "Idle"}}
"""Defaults that are written out: a status that holds one of control's fields is one that was not lost."""
WARNINGS: Final = frozenset(
    {"Rejected", "RolledBack", "Stalled", "PerformanceDropped", "Drifted", "RunFailed"}
)
FACTS: Final = f"{GROUP}/event-"
BOUNDS: Final = f"{FACTS}bounds"
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ResourceState:
    """ports.state.State of one resource, whatever name is asked for: a monitor may be named unlike its rollout.

    Attributes:
        lineage: for others who write the same object in the same look.
    """

    def __init__(self, cluster: Cluster, kind: Kind, namespace: str, name: str) -> None:
        self._cluster, self._kind, self._namespace, self._name = cluster, kind, namespace, name
        self._empty_at: str | None = None
        self.lineage = Lineage()

    def resource(self) -> Object | None:
        """The resource as the cache holds it."""
        return self._cluster.get(self._kind, self._namespace, self._name)

    def read(self, kind: str, name: str) -> Document | None:
        obj = self._known(kind)
        if obj is None:
            return None
        version = str(obj["metadata"]["resourceVersion"])
        body = {key: value for key, value in obj.get("status", {}).items() if key not in PUBLISHED}
        if not body:
            self._empty_at = version
            return None
        return Document(body, version)

    def write(
        self,
        kind: str,
        name: str,
        body: Mapping[str, object],
        version: str | None,
        events: Sequence[Event] = (),
        *,
        durable: bool = True,
    ) -> str:
        obj = self._known(kind)
        if obj is None:
            raise Conflict(f"{self._kind.kind} {self._namespace}/{self._name} is gone")
        held = obj.get("status", {})
        if version is None and any(key not in PUBLISHED for key in held):
            raise Conflict(f"{self._kind.kind} {self._namespace}/{self._name} has a status by now")
        kept = {key: value for key, value in held.items() if key in PUBLISHED}
        decided_on = self.lineage.newest(version or self._empty_at or obj["metadata"]["resourceVersion"])
        written = self._write(obj, {**ALWAYS.get(kind, {}), **body, **kept}, decided_on)
        for event in events:
            self._cluster.report(
                written,
                event.kind,
                note(event),
                warning=event.kind in WARNINGS,
                annotations=facts(event),
            )
        return str(written["metadata"]["resourceVersion"])

    def publish(self, conditions: Iterable[Said], now: datetime, **fields: object) -> bool:
        """Write conditions, observedGeneration and other fields beside control's; returns whether any was new.

        Args:
            fields: by their names on the wire; None removes one.

        Raises:
            Conflict: somebody wrote in between.
        """
        obj = self.resource()
        if obj is None:
            return False
        held = obj.get("status", {})
        generation = int(obj["metadata"].get("generation", 0))
        status = dict(held)
        status["observedGeneration"] = generation
        status["conditions"] = merged(held.get("conditions", []), conditions, generation, now)
        status.update(fields)
        status = {key: value for key, value in status.items() if value is not None}
        if status == held:
            return False
        self._write(obj, status, obj["metadata"]["resourceVersion"])
        return True

    def act(self, name: str) -> Act | None:
        """The order in the annotation; None too where it is not one (the resource's `act_problem` says why)."""
        obj = self.resource()
        text = _annotations(obj).get(ACT) if obj is not None else None
        if text is None:
            return None
        try:
            found = Ordered.parse(text)
        except ActRefused:
            return None
        # The API server keeps no time beside an annotation, and nothing decides by it.
        return Act(found.id, found.verb.value, found.revision, found.step or "", found.by, _BEGINNING)

    def order(self, name: str, act: Act) -> None:
        obj = self._mine()
        verb, step = Verb(act.verb), act.step or None
        text = Ordered(id=act.id, verb=verb, revision=act.revision, step=step, by=act.by).text()
        if _annotations(obj).get(ACT) != text:
            self._cluster.replace(annotated(obj, ACT, text))

    def suspended(self, name: str) -> bool:
        obj = self.resource()
        return obj is not None and bool(obj.get("spec", {}).get("suspend", False))

    def suspend(self, name: str, suspended: bool) -> None:
        obj = self._mine()
        if bool(obj["spec"].get("suspend", False)) != suspended:
            self._cluster.replace({**obj, "spec": {**obj["spec"], "suspend": suspended}})

    def events(self, after: int = 0) -> Sequence[tuple[int, Event]]:
        """Those that the API server still keeps (an hour, as a rule), oldest first."""
        obj = self.resource()
        uid = obj["metadata"]["uid"] if obj is not None else None
        about = [
            event
            for event in self._cluster.list(EVENT, self._namespace)
            if event.get("regarding", {}).get("uid") == uid
        ]
        about.sort(key=lambda event: (str(event.get("eventTime")), str(event["metadata"]["name"])))
        told = [_told(self._kind.kind, event) for event in about]
        return [(number, event) for number, event in enumerate(told, start=1) if number > after]

    def seen(self) -> str:
        obj = self.resource()
        return "" if obj is None else f"{obj['metadata']['uid']}/{obj['metadata']['resourceVersion']}"

    def _known(self, kind: str) -> Object | None:
        if kind != self._kind.kind:
            raise ValueError(f"this is the state of a {self._kind.kind}, not of a {kind}")
        return self.resource()

    def _mine(self) -> Object:
        obj = self.resource()
        if obj is None:
            raise InputRefused(f"there is no {self._kind.kind} '{self._name}' in namespace {self._namespace}")
        return obj

    def _write(self, obj: Object, status: Mapping[str, object], decided_on: str) -> Object:
        metadata = {**obj["metadata"], "resourceVersion": decided_on}
        written = self._cluster.write_status({**obj, "metadata": metadata, "status": dict(status)})
        self.lineage.wrote(decided_on, str(written["metadata"]["resourceVersion"]))
        return written


def note(event: Event) -> str:
    """One event as a sentence, which names the revision that it is about."""
    told = f"revision {event.revision}: {event.because}" if event.revision else event.because
    return shortened(told)


def facts(event: Event) -> Mapping[str, str]:
    """What a program reads of it, as annotations: when it was by the loop's time, about whom, on which numbers.

    A number that is infinite is null, as JSON (RFC 8259) has no word for it.
    """
    told = {"at": event.at.isoformat(), "revision": event.revision, "because": event.because}
    bounds = {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in event.bounds.items()
    }
    return {f"{FACTS}{key}": value for key, value in told.items()} | {
        BOUNDS: json.dumps(bounds, allow_nan=False)
    }


def _told(resource: str, event: Object) -> Event:
    """An event as it was reported; as a person reads it where somebody else wrote it, or into it."""
    reason, note = str(event.get("reason", "")), str(event.get("note", ""))
    held = _annotations(event)
    try:
        at, revision, because = (held[f"{FACTS}{key}"] for key in ("at", "revision", "because"))
        bounds = json.loads(held[BOUNDS])
        return Event(datetime.fromisoformat(at), resource, reason, revision, because, dict(bounds))
    except (KeyError, ValueError, TypeError):
        return Event(datetime.fromisoformat(str(event["eventTime"])), resource, reason, "", note)


def _annotations(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("annotations") or {}

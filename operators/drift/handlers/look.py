"""What every look has in common: its frame, how it is logged and measured, and when to look again after trouble."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final, Generic, Protocol, TypeVar

from pydantic import ValidationError

from operators.drift import logs
from operators.drift.config import Configuration
from operators.drift.handlers.parsed import Parsed
from operators.drift.metrics import Metrics
from operators.drift.surroundings import ProviderUnknown, Surroundings
from operators.drift.traces import Span, Tracing
from trimtab.adapters.kubernetes import ResourceState, annotated
from trimtab.api.conditions import Condition, condition
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import EPOCH
from trimtab.api.resources.meta import Resource
from trimtab.ports.clock import Clock
from trimtab.ports.cluster import Cluster, Kind, Object, Refused
from trimtab.ports.gateway import RouteRefused
from trimtab.ports.state import Conflict

FIRST_AGAIN_S: Final = 1.0
LAST_AGAIN_S: Final = 20.0
"""Trouble is looked at again within this, so that all goes on well within a minute after a fault."""
CONFLICT_AGAIN_S: Final = 0.2
log = logging.getLogger(__name__)
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look came to.

    Attributes:
        again_s: when to look again; None for when something changes.
        because: what it waits for, or rests on.
        trouble: what could not be reached, or was refused.
    """

    again_s: float | None
    because: str = ""
    trouble: str = ""


class Unfounded(Exception):
    """What a resource names is not there, or cannot be read. Its appearance, or next change, wakes whoever names it.

    Attributes:
        reason: one CamelCase word for programs.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Troubled:
    """Since when, and how often in a row, each resource was in trouble: the time until the next look doubles."""

    times: dict[Key, int] = field(default_factory=dict)
    since_s: dict[Key, float] = field(default_factory=dict)

    def again_s(self, key: Key) -> float:
        self.times[key] = times = self.times.get(key, 0) + 1
        return min(LAST_AGAIN_S, FIRST_AGAIN_S * 2.0 ** min(times - 1, 10))

    def lasts_s(self, key: Key, now_s: float) -> float:
        """For how long it has been."""
        return now_s - self.since_s.setdefault(key, now_s)

    def over(self, key: Key) -> None:
        self.times.pop(key, None)
        self.since_s.pop(key, None)


class Held(Protocol):
    """What is kept of one resource between looks."""

    state: ResourceState


R = TypeVar("R", bound=Resource)
H = TypeVar("H", bound=Held)


class Handler(ABC, Generic[R, H]):
    """Looks at the resources of one kind; any thread, one at a time for each resource.

    Args:
        clock: the loop's time, by which specs count.
        epoch: names this process's leadership.
        machine: by which calls and pods are waited for; default `clock`. They differ in a rehearsal.
        lacks: which fields of a kind the API server does not know, as a sentence; "" for none, None if not known.
    """

    kind: ClassVar[Kind]
    model: type[R]

    def __init__(
        self,
        configuration: Configuration,
        cluster: Cluster,
        surroundings: Surroundings,
        clock: Clock,
        epoch: Callable[[], str],
        metrics: Metrics,
        tracing: Tracing,
        machine: Clock | None = None,
        lacks: Callable[[Kind], str | None] = lambda kind: None,
    ) -> None:
        self._machine, self._lacks = machine or clock, lacks
        self._configuration, self._cluster, self._surroundings = configuration, cluster, surroundings
        self._clock, self._epoch, self._metrics, self._tracing = clock, epoch, metrics, tracing
        self._parsed, self._troubled = Parsed(self.model), Troubled()
        self._held: dict[Key, H] = {}

    @abstractmethod
    def _reconciled(self, resource: R, obj: Object, now: datetime, /) -> Outcome:
        """What this kind is for."""

    def _deleted(self, resource: R | None, obj: Object, now: datetime, /) -> Outcome:
        """Its deletion has been asked for; None where its spec is wrong."""
        return Outcome(None, "it is being deleted")

    def _unattended(self, key: Key, because: str, reason: str) -> tuple[Condition, ...]:
        """What is said of a resource that cannot be looked after as it is."""
        return (condition("Ready", False, reason, because),)

    def _lasting(self, key: Key, trouble: str) -> str:
        """The trouble, where a person should hear of it already; else ""."""
        return trouble

    def _forget(self, key: Key) -> None:
        """The resource is gone."""
        self._held.pop(key, None)
        self._parsed.forget(*key)
        self._metrics.forget(*key, self.kind.kind)

    def look(self, namespace: str, name: str) -> float | None:
        """One look; returns seconds until the next one."""
        started, result = time.monotonic(), "error"
        try:
            with self._about(namespace, name) as span:
                outcome, result = self._timed((namespace, name), span)
                span.set_attribute("result", result)
                if outcome.because:
                    span.set_attribute("because", outcome.because)
                level = logging.WARNING if outcome.trouble else logging.DEBUG
                log.log(
                    level, outcome.trouble or outcome.because or result, extra={"because": outcome.because}
                )
        finally:
            self._metrics.looked(self.kind.kind, result, time.monotonic() - started)
        return outcome.again_s

    def _timed(self, key: Key, span: Span) -> tuple[Outcome, str]:
        """A look's outcome, its time so that trouble is met again soon, not often."""
        try:
            outcome = self._looked(key, span)
            self._say_whether_current(key)
        except Conflict as conflict:
            return Outcome(CONFLICT_AGAIN_S, str(conflict)), "conflict"
        if not outcome.trouble:
            self._troubled.over(key)
            return outcome, "ok"
        again_s = self._troubled.again_s(key)
        if outcome.again_s is not None:
            again_s = min(again_s, outcome.again_s)
        return Outcome(again_s, outcome.because, outcome.trouble), "trouble"

    def _looked(self, key: Key, span: Span) -> Outcome:
        obj, now = self._cluster.get(self.kind, *key), self._clock.now()
        if obj is None:
            self._forget(key)
            return Outcome(None, "it is gone")
        generation = int(obj["metadata"].get("generation", 0))
        logs.also(generation=generation)
        span.set_attribute("k8s.generation", generation)
        resource, because = self._read(obj)
        if obj["metadata"].get("deletionTimestamp"):
            return self._deleted(resource, obj, now)
        if resource is None:
            return self._rests(key, because, "InvalidSpec", now)
        try:
            return self._reconciled(resource, obj, now)
        except Unfounded as missing:
            return self._rests(key, str(missing), missing.reason, now)
        except ProviderUnknown as error:
            return self._rests(key, str(error), "ProviderUnknown", now)
        except (SurroundingsFailed, InputRefused, RouteRefused) as error:
            if lasting := self._lasting(key, str(error)):
                reason = "Refused" if isinstance(error, Refused) else "Hindered"
                with suppress(SurroundingsFailed, Refused):
                    self._say(key, lasting, reason, now)
            return Outcome(None, "", str(error))

    @property
    def _tick(self) -> timedelta:
        """How often a step under way is looked at, in the loop's time."""
        return self._configuration.tick * self._configuration.speed

    def _until_s(self, wake: datetime, now: datetime) -> float:
        """Seconds of the machine until then, and a moment at the least."""
        return max(0.05, (wake - now).total_seconds() / self._configuration.speed)

    def _read(self, obj: Object) -> tuple[R | None, str]:
        """The resource; or what is wrong with a spec that the API server let through."""
        try:
            return self._parsed.of(obj), ""
        except (ValidationError, InputRefused) as error:
            return None, f"the spec is wrong: {wrong(error)}"

    def _rests(self, key: Key, because: str, reason: str, now: datetime) -> Outcome:
        """Until a person, or what is missing, changes something."""
        self._say(key, because, reason, now)
        return Outcome(None, because)

    def _say(self, key: Key, because: str, reason: str, now: datetime) -> None:
        self._state(key).publish(self._unattended(key, because, reason), now)

    def _say_whether_current(self, key: Key) -> None:
        """KindCurrent, where its kind lacks fields or did."""
        lacks, state = self._lacks(self.kind), self._state(key)
        obj = state.resource()
        if lacks is None or obj is None:
            return
        status = obj.get("status", {})
        if lacks or any(one["type"] == "KindCurrent" for one in status.get("conditions", ())):
            told = condition("KindCurrent", not lacks, "FieldsMissing" if lacks else "AsReleased", lacks)
            with suppress(SurroundingsFailed, Refused):
                state.publish((told,), self._clock.now())

    def _state(self, key: Key) -> ResourceState:
        held = self._held.get(key)
        return held.state if held is not None else ResourceState(self._cluster, self.kind, *key)

    @contextmanager
    def _about(self, namespace: str, name: str) -> Iterator[Span]:
        with logs.about(self.kind.kind, namespace, name) as look:
            named = {"k8s.namespace.name": namespace, "trimtab.kind": self.kind.kind, "trimtab.name": name}
            with self._tracing.span(
                f"reconcile {self.kind.kind}", {**named, "trimtab.reconcile": look}
            ) as span:
                yield span


def stamped(cluster: Cluster, obj: Object, epoch: str, account: str = "") -> Object:
    """The object with this leadership's epoch in it; a write of an earlier leader is refused from then on.

    Raises:
        Conflict: somebody wrote in between: look again.
    """
    if (obj["metadata"].get("annotations") or {}).get(EPOCH) == epoch:
        return obj
    return cluster.replace(annotated(obj, EPOCH, epoch), account=account)


def wrong(error: Exception) -> str:
    """What is wrong with a spec: each field with its path, one a line at most."""
    if not isinstance(error, ValidationError):
        return str(error)
    told = []
    for one in error.errors():
        path = ".".join(str(part) for part in one["loc"])
        told.append(f"{path}: {one['msg'].removeprefix('Value error, ')}" if path else one["msg"])
    return "; ".join(told)

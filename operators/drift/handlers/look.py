"""What every look has in common: whose it is, how it is logged and measured, and when to look again after trouble."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from operators.drift import logs
from operators.drift.metrics import Metrics
from operators.drift.traces import Span, Tracing
from trimtab.adapters.kubernetes import annotated
from trimtab.api.conditions import Condition, condition
from trimtab.api.resources import EPOCH
from trimtab.ports.cluster import Cluster, Kind, Object
from trimtab.ports.state import Conflict

FIRST_AGAIN_S: Final = 1.0
LAST_AGAIN_S: Final = 20.0
"""Trouble is looked at again within this, so that all goes on well within a minute after a fault."""
CONFLICT_AGAIN_S: Final = 0.2
log = logging.getLogger(__name__)
Inner = Callable[[str, str, Span], "Outcome"]


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


@dataclass(slots=True)
class Troubled:
    """How often in a row each resource was in trouble: the time until the next look doubles."""

    times: dict[tuple[str, str], int] = field(default_factory=dict)

    def again_s(self, key: tuple[str, str]) -> float:
        self.times[key] = times = self.times.get(key, 0) + 1
        return min(LAST_AGAIN_S, FIRST_AGAIN_S * 2.0 ** min(times - 1, 10))

    def over(self, key: tuple[str, str]) -> None:
        self.times.pop(key, None)


class Looking:
    """Runs the looks of one kind; any thread, one at a time for each resource."""

    def __init__(self, kind: Kind, metrics: Metrics, tracing: Tracing) -> None:
        self._kind, self._metrics, self._tracing = kind, metrics, tracing
        self._troubled = Troubled()

    def look(self, namespace: str, name: str, inner: Inner) -> float | None:
        """One look; returns seconds until the next one."""
        started, result = time.monotonic(), "error"
        try:
            with self._about(namespace, name) as span:
                outcome, result = self._inner(namespace, name, span, inner)
                span.set_attribute("result", result)
                if outcome.because:
                    span.set_attribute("because", outcome.because)
                level = logging.WARNING if outcome.trouble else logging.DEBUG
                log.log(
                    level, outcome.trouble or outcome.because or result, extra={"because": outcome.because}
                )
        finally:
            self._metrics.looked(self._kind.kind, result, time.monotonic() - started)
        return outcome.again_s

    def _inner(self, namespace: str, name: str, span: Span, inner: Inner) -> tuple[Outcome, str]:
        key = namespace, name
        try:
            outcome = inner(namespace, name, span)
        except Conflict as conflict:
            return Outcome(CONFLICT_AGAIN_S, str(conflict)), "conflict"
        if not outcome.trouble:
            self._troubled.over(key)
            return outcome, "ok"
        again_s = self._troubled.again_s(key)
        if outcome.again_s is not None:
            again_s = min(again_s, outcome.again_s)
        return Outcome(again_s, outcome.because, outcome.trouble), "trouble"

    @contextmanager
    def _about(self, namespace: str, name: str) -> Iterator[Span]:
        with logs.about(self._kind.kind, namespace, name) as look:
            named = {"k8s.namespace.name": namespace, "trimtab.kind": self._kind.kind, "trimtab.name": name}
            with self._tracing.span(
                f"reconcile {self._kind.kind}", {**named, "trimtab.reconcile": look}
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
    """What is wrong with a spec that the API server let through: each field with its path, one a line at most."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    told = []
    for one in error.errors():
        path = ".".join(str(part) for part in one["loc"])
        told.append(f"{path}: {one['msg'].removeprefix('Value error, ')}" if path else one["msg"])
    return "; ".join(told)


def refused(message: str, reason: str) -> tuple[Condition, ...]:
    """The resource cannot be looked after as it is: a person is needed. Said of every kind."""
    return (condition("Ready", False, reason, message),)


def unattended(message: str, reason: str, *, serves: bool) -> tuple[Condition, ...]:
    """A rollout cannot be looked after as it is. What serves goes on serving: that is no less ready."""
    stalled = condition("Stalled", True, reason, message)
    return (stalled,) if serves else (stalled, *refused(message, reason))

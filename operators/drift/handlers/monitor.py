"""DriftMonitors: each one's rollout, profile and collector in the hands of control."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from operators.drift import logs
from operators.drift.config import Configuration
from operators.drift.handlers.cohorts import cohorts
from operators.drift.handlers.look import Looking, Outcome, refused, stamped, wrong
from operators.drift.handlers.rollout import route_spec
from operators.drift.handlers.target import Unfounded, named_rollout, target_of
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Models, ProviderUnknown, Surroundings
from operators.drift.traces import Span, Tracing
from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import GatewayApi
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import DriftMonitor, ModelRollout
from trimtab.api.rollout_status import RevisionRef
from trimtab.api.values import to_wire
from trimtab.control import ReconcileMonitor
from trimtab.ports.clock import Clock
from trimtab.ports.cluster import Cluster, Object, Refused
from trimtab.ports.evidence import Evidence
from trimtab.ports.profiles import Profiles, Unprofiled

UNPROFILED_S: Final = 600.0
"""A model without a profile never gets one; this is for the stable revision that follows."""
Key = tuple[str, str]


@dataclass(slots=True)
class _Held:
    """What is kept of one monitor between looks.

    Attributes:
        built: the specs and the stable revision that the reconcile was made for.
    """

    built: tuple[object, ...]
    state: ResourceState
    models: Models
    evidence: Evidence
    reconcile: ReconcileMonitor


class Referenced:
    """ports.profiles.Profiles that has one answer: the profile that a monitor names."""

    def __init__(self, inner: Profiles, uri: str) -> None:
        self._inner, self._uri = inner, uri

    def profile(self, uri: str) -> bytes:
        return self._inner.profile(self._uri)


class MonitorHandler:
    """Looks at one DriftMonitor.

    Args:
        epoch: names this process's leadership.
    """

    def __init__(
        self,
        configuration: Configuration,
        cluster: Cluster,
        surroundings: Surroundings,
        clock: Clock,
        epoch: Callable[[], str],
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._configuration, self._cluster, self._surroundings = configuration, cluster, surroundings
        self._clock, self._epoch, self._metrics = clock, epoch, metrics
        self._looking = Looking(DRIFT_MONITOR, metrics, tracing)
        self._held: dict[Key, _Held] = {}

    def look(self, namespace: str, name: str) -> float | None:
        return self._looking.look(namespace, name, self._look)

    def _look(self, namespace: str, name: str, span: Span) -> Outcome:
        obj = self._cluster.get(DRIFT_MONITOR, namespace, name)
        if obj is None:
            self._held.pop((namespace, name), None)
            self._metrics.forget(namespace, name, DRIFT_MONITOR.kind)
            return Outcome(None, "it is gone")
        if obj["metadata"].get("deletionTimestamp"):
            return Outcome(None, "it is being deleted")
        generation = int(obj["metadata"].get("generation", 0))
        logs.also(generation=generation)
        span.set_attribute("k8s.generation", generation)
        state = ResourceState(self._cluster, DRIFT_MONITOR, namespace, name)
        now = self._clock.now()
        try:
            monitor = DriftMonitor.from_wire(obj)
        except (ValidationError, InputRefused) as error:
            state.publish(refused(wrong(error), "InvalidSpec"), now)
            return Outcome(None, f"the spec is wrong: {wrong(error)}")
        try:
            return self._watched(monitor, obj, now)
        except Unfounded as missing:
            state.publish(refused(str(missing), missing.reason), now)
            return Outcome(None, str(missing))
        except ProviderUnknown as error:
            state.publish(refused(str(error), "ProviderUnknown"), now)
            return Outcome(None, str(error))
        except (SurroundingsFailed, InputRefused) as error:
            with suppress(SurroundingsFailed, Refused):
                reason = "Refused" if isinstance(error, Refused) else "Hindered"
                state.publish(refused(str(error), reason), now)
            return Outcome(None, "", str(error))

    def _watched(self, monitor: DriftMonitor, obj: Object, now: datetime) -> Outcome:
        namespace, name = monitor.metadata.namespace, monitor.metadata.name
        rollout, seen = named_rollout(self._cluster, namespace, monitor.spec.target.rollout_ref)
        stamped(self._cluster, obj, self._epoch())
        collector = self._surroundings.ensure_collector(namespace)
        held, stable = self._building(monitor, rollout, seen.stable), seen.stable
        trouble = held.reconcile.tick(stable, now)
        never = False
        if trouble and stable is not None:
            trouble, never = self._introduced(held, stable, trouble)
            del self._held[(namespace, name)]
        idle = f"ModelRollout '{rollout.metadata.name}' has no stable revision yet" if stable is None else ""
        told, coverage = (
            held.reconcile.conditions(idle=idle, trouble=trouble, collector=collector),
            held.reconcile.coverage,
        )
        held.state.publish(told, now, coverage=None if coverage is None else to_wire(coverage))
        self._metrics.monitor(namespace, name, held.reconcile.status)
        if stable is None:
            return Outcome(None, idle)
        if never:
            return Outcome(UNPROFILED_S, trouble)
        again_s = max(0.05, (held.reconcile.wake(now) - now).total_seconds())
        return Outcome(again_s, collector or f"revision {stable.revision} is watched", trouble)

    def _building(self, monitor: DriftMonitor, rollout: ModelRollout, stable: RevisionRef | None) -> _Held:
        """The reconcile, anew with each generation of either spec and each stable revision, whose profile counts."""
        at, of = monitor.metadata, rollout.metadata
        built = (at.uid, at.generation, of.uid, of.generation, stable)
        held = self._held.get((at.namespace, at.name))
        if held is not None and held.built == built:
            return held
        models = self._surroundings.models(rollout)
        uri = monitor.spec.reference.uri
        state = ResourceState(self._cluster, DRIFT_MONITOR, at.namespace, at.name)
        evidence = self._surroundings.evidence(at.namespace)
        reconcile = ReconcileMonitor(
            monitor.spec.monitor(),
            target_of(rollout, models, cohorts(models.profiles, stable), self._configuration.tick),
            state=state,
            evidence=evidence,
            gateway=self._gateway(rollout),
            profiles=models.profiles if uri is None else Referenced(models.profiles, uri),
            name=at.name,
        )
        self._held[(at.namespace, at.name)] = held = _Held(built, state, models, evidence, reconcile)
        return held

    def _gateway(self, rollout: ModelRollout) -> GatewayApi:
        """The rollout's gateway, for its counts alone: they are what the requests that were seen are a share of."""
        at = rollout.metadata
        return GatewayApi(
            self._cluster,
            Place(at.namespace, at.name, at.uid, rollout.spec.service_account_name),
            route_spec(rollout),
            backend=lambda revision: None,
            counts=self._surroundings.counts,
        )

    def _introduced(self, held: _Held, stable: RevisionRef, trouble: str) -> tuple[str, bool]:
        """A collector that lost its log is told of the revision again; (what the trouble is, whether it stays)."""
        try:
            held.evidence.observe(stable.revision, held.models.profiles.profile(stable.uri))
        except Unprofiled as error:
            return error.message, True
        except (SurroundingsFailed, InputRefused) as error:
            return (trouble if error.message in trouble else f"{trouble}; {error.message}"), False
        return trouble, False

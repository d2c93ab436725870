"""DriftMonitors: each one's rollout, profile and collector in the hands of control."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from operators.drift.handlers.cohorts import cohorts
from operators.drift.handlers.look import Handler, Outcome, stamped
from operators.drift.handlers.target import named_rollout, place_of, route_spec, target_of
from operators.drift.surroundings import Models
from trimtab.adapters.gateway_api import GatewayApi
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import DriftMonitor, ModelRollout
from trimtab.api.rollout_status import RevisionRef
from trimtab.api.values import to_wire
from trimtab.control import ReconcileMonitor
from trimtab.ports.cluster import Object
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


class MonitorHandler(Handler[DriftMonitor, _Held]):
    """Looks at one DriftMonitor."""

    kind, model = DRIFT_MONITOR, DriftMonitor

    def _reconciled(self, monitor: DriftMonitor, obj: Object, now: datetime) -> Outcome:
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
        # What keeps a collector's pod from being made is told by events, which wake nobody.
        soon_s = self._until_s(now + self._tick, now) if collector else None
        if stable is None:
            return Outcome(soon_s, idle)
        if never:
            return Outcome(soon_s or UNPROFILED_S, trouble)
        again_s = self._until_s(held.reconcile.wake(now), now)
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
            target_of(rollout, models, cohorts(models.profiles, stable), self._tick),
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
        return GatewayApi(
            self._cluster,
            place_of(rollout),
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

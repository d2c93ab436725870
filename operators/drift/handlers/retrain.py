"""RetrainPolicies: each one's monitor, rollout and pipeline in the hands of control."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from pydantic import ValidationError

from operators.drift.handlers.cohorts import WithoutLabels, cohorts
from operators.drift.handlers.look import Handler, Outcome, Unfounded, stamped
from operators.drift.handlers.target import named_rollout, stored, target_of
from trimtab.adapters.jobs import JobRuns
from trimtab.adapters.kfp_server import KfpProvider, KfpServerRuns
from trimtab.adapters.kubernetes import PostedEvents, ResourceState
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, RETRAIN_POLICY
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.monitor import MonitorStatus
from trimtab.api.resources import DriftMonitor, ModelRollout, RetrainPolicy
from trimtab.api.rollout_status import RolloutStatus
from trimtab.control import ReconcileRetrain
from trimtab.control.candidacy import Candidacy
from trimtab.ports.cluster import Object
from trimtab.ports.runs import Remembered, Run, Runs

RUNNING_S: Final = 30.0
"""A Job's end wakes its policy; nothing does for a run on another server, or for a pod that cannot start."""
SCHEDULE_S: Final = 30.0
Key = tuple[str, str]


class Tended(Runs, Remembered, Protocol):
    """Runs of an engine that must be looked after while they go on."""

    def tend(self, key: str) -> None: ...


class Noted:
    """ports.runs.Runs that remember what was seen last, to be shown."""

    def __init__(self, inner: Tended, link: str) -> None:
        self._inner, self._link = inner, link
        self.seen: Run | None = None

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        self.seen = self._inner.start(key, parameters)
        return self.seen

    def find(self, key: str) -> Run | None:
        self.seen = self._inner.find(key)
        return self.seen

    def tend(self, key: str) -> None:
        self._inner.tend(key)

    def forget(self, key: str) -> None:
        self._inner.forget(key)

    def current(self, since: datetime) -> dict[str, str] | None:
        """`status.current`."""
        if self.seen is None:
            return None
        url = self._link.format(run=self.seen.id) if self._link else ""
        at = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"runId": self.seen.id, "state": self.seen.state.value, "startedAt": at, "url": url}


@dataclass(slots=True)
class _Held:
    """What is kept of one policy between looks.

    Attributes:
        built: the specs and the stable revision that the reconcile was made for.
        lasts: whether it may be kept: not where something could not be fetched.
    """

    built: tuple[object, ...]
    state: ResourceState
    runs: Noted
    reconcile: ReconcileRetrain
    lasts: bool


class RetrainHandler(Handler[RetrainPolicy, _Held]):
    """Looks at one RetrainPolicy."""

    kind, model = RETRAIN_POLICY, RetrainPolicy

    def _reconciled(self, policy: RetrainPolicy, obj: Object, now: datetime) -> Outcome:
        at, spec = policy.metadata, policy.spec
        rollout_ref, episodes = self._monitored(policy)
        rollout, serving = named_rollout(self._cluster, at.namespace, rollout_ref)
        obj = stamped(self._cluster, obj, self._epoch())
        held = self._building(policy, obj, rollout, serving)
        held.reconcile.tick(serving, episodes, now)
        status, trouble = held.reconcile.status, held.reconcile.trouble
        if status.claim is not None and not trouble:
            try:
                held.runs.tend(status.claim.key)
            except (SurroundingsFailed, InputRefused) as error:
                trouble = error.message
        if trouble or not held.lasts:
            del self._held[(at.namespace, at.name)]
        claim = status.claim
        run = held.runs.seen if claim is not None else None
        held.state.publish(
            held.reconcile.conditions(now, trouble, run.because if run is not None else ""),
            now,
            current=held.runs.current(claim.claimed_at) if claim is not None else None,
        )
        self._metrics.policy(at.namespace, at.name, status)
        again_s = self._until_s(held.reconcile.wake(now), now)
        if claim is not None:
            again_s = min(again_s, RUNNING_S)
        if any(trigger.schedule is not None for trigger in spec.triggers):
            again_s = min(again_s, SCHEDULE_S)
        because = f"run of {claim.cause}" if claim is not None else status.waiting or "nothing asks for a run"
        return Outcome(again_s, because, trouble)

    def _monitored(self, policy: RetrainPolicy) -> tuple[str, MonitorStatus]:
        """(the rollout that is meant, what its monitor says).

        Raises:
            Unfounded: there is no such monitor.
        """
        spec, namespace = policy.spec, policy.metadata.namespace
        own = spec.target.rollout_ref if spec.target is not None else ""
        if spec.monitor_ref is None:
            return own, MonitorStatus()
        obj = self._cluster.get(DRIFT_MONITOR, namespace, spec.monitor_ref)
        if obj is None:
            raise Unfounded(
                "MonitorNotFound", f"there is no DriftMonitor '{spec.monitor_ref}' in namespace {namespace}"
            )
        try:
            watched = DriftMonitor.from_wire(obj).spec.target.rollout_ref
        except (ValidationError, InputRefused):
            message = f"the spec of DriftMonitor '{spec.monitor_ref}' is wrong: see its conditions"
            raise Unfounded("MonitorInvalid", message) from None
        return own or watched, stored(MonitorStatus, obj)

    def _building(
        self, policy: RetrainPolicy, obj: Object, rollout: ModelRollout, serving: RolloutStatus
    ) -> _Held:
        """The reconcile, anew with each generation of either spec and each stable revision."""
        at, of, stable = policy.metadata, rollout.metadata, serving.stable
        built = (at.uid, at.generation, of.uid, of.generation, stable)
        held = self._held.get((at.namespace, at.name))
        if held is not None and held.built == built:
            return held
        models = self._surroundings.models(rollout)
        known = cohorts(models.profiles, stable)
        target = target_of(rollout, models, known, self._tick)
        evidence = self._surroundings.evidence(at.namespace)
        state = ResourceState(self._cluster, RETRAIN_POLICY, at.namespace, at.name)
        runs = self._runs(policy, obj, rollout, {"stable": stable.version if stable is not None else ""})
        reconcile = ReconcileRetrain(
            policy.spec.retrain(),
            target,
            state=state,
            evidence=WithoutLabels(evidence, known.unknown) if known.unknown else evidence,
            runs=runs,
            remembered=runs,
            candidacy=Candidacy(models.registry, target),
            posts=PostedEvents(self._cluster, at.namespace, at.name),
            name=at.name,
            identity=at.uid,
        )
        held = _Held(built, state, runs, reconcile, not known.unknown)
        self._held[(at.namespace, at.name)] = held
        return held

    def _runs(
        self, policy: RetrainPolicy, obj: Object, rollout: ModelRollout, parameters: Mapping[str, str]
    ) -> Noted:
        """
        Raises:
            ProviderUnknown
        """
        at, pipeline, providers = policy.metadata, policy.spec.pipeline, self._configuration.providers
        if pipeline.provider_ref is not None:
            named = self._surroundings.provider(
                "kubeflow", providers.kubeflow, pipeline.provider_ref, at.namespace
            )
            passing = self._surroundings.breaker("kubeflow", named.name).passing
            provider = KfpProvider(
                named.url, named.token_file, named.ca_file, named.namespace or "", passing=passing
            )
            runs = KfpServerRuns(
                provider,
                self._cluster,
                at.namespace,
                at.name,
                pipeline,
                parameters=lambda: parameters,
                now=self._machine.now,
            )
            return Noted(runs, f"{named.url.rstrip('/')}/#/runs/details/{{run}}")
        environment = dict[str, str]()
        if (registry := rollout.spec.model.registry) is not None:
            server = self._surroundings.provider(
                "mlflow", providers.mlflow, registry.provider_ref, at.namespace
            )
            environment["TRIMTAB_MLFLOW"] = server.url
        jobs = JobRuns(
            self._cluster, at.namespace, at.name, pipeline,
            owner=obj, parameters=lambda: parameters, environment=environment, now=self._machine.now,
        )  # fmt: skip
        return Noted(jobs, "")

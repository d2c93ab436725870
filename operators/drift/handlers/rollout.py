"""ModelRollouts: each one's route, servers, registry and evidence in the hands of control."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from operators.drift import logs
from operators.drift.conditions.condition import refused
from operators.drift.conditions.rollout import Seen, conditions
from operators.drift.config import Configuration
from operators.drift.handlers.look import Looking, Outcome, stamped, wrong
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Models, ProviderUnknown, Surroundings
from operators.drift.traces import Span, Tracing
from trimtab.adapters.children import Fact, Place
from trimtab.adapters.gateway_api import GatewayApi, ParentRef, RouteSpec
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import route_name
from trimtab.adapters.kserve import KserveServers, Serving, template_text
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import FINALIZER, MODEL_ROLLOUT
from trimtab.adapters.retained import release
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import ModelRollout, shown
from trimtab.api.resources.rollout import DeletionPolicy
from trimtab.api.rollout_status import RevisionRef
from trimtab.control import ReconcileRollout, Target
from trimtab.control.rollout import Looked
from trimtab.drift import Profile
from trimtab.ports.clock import Clock
from trimtab.ports.cluster import Cluster, Kind, Object, Refused
from trimtab.ports.evidence import BlockCut
from trimtab.ports.gateway import RouteRefused, Split
from trimtab.ports.profiles import Unprofiled
from trimtab.ports.servers import Revision

NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
BUSY_S: Final = 10.0
"""What waits for the world is woken by it; this is for what no watch tells, such as a route that settles."""
CLOSED_EVERY: Final = timedelta(minutes=1)
Key = tuple[str, str]


@dataclass(slots=True)
class _Held:
    """What is kept of one rollout between looks.

    Attributes:
        uid: another one means another rollout of the same name.
        built: what the reconcile was built from.
        judged: the revision and generation whose template the API server was asked about, and what it said.
    """

    uid: str
    gateway: GatewayApi
    servers: KserveServers
    built: tuple[int, str] = (-1, "")
    reconcile: ReconcileRollout | None = None
    models: Models | None = None
    judged: tuple[tuple[int, str], Fact] | None = None


class RolloutHandler:
    """Looks at one ModelRollout.

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
        self._looking = Looking(MODEL_ROLLOUT, metrics, tracing)
        self._held: dict[Key, _Held] = {}

    def look(self, namespace: str, name: str) -> float | None:
        return self._looking.look(namespace, name, self._look)

    def _look(self, namespace: str, name: str, span: Span) -> Outcome:
        obj = self._cluster.get(MODEL_ROLLOUT, namespace, name)
        if obj is None:
            self._held.pop((namespace, name), None)
            self._metrics.forget(namespace, name, MODEL_ROLLOUT.kind)
            return Outcome(None, "it is gone")
        generation = int(obj["metadata"].get("generation", 0))
        logs.also(generation=generation)
        span.set_attribute("k8s.generation", generation)
        state = ResourceState(self._cluster, MODEL_ROLLOUT, namespace, name)
        now = self._clock.now()
        try:
            rollout = ModelRollout.from_wire(obj)
        except (ValidationError, InputRefused) as error:
            if obj["metadata"].get("deletionTimestamp"):
                self._let_go(obj)
            else:
                state.publish(refused(wrong(error), "InvalidSpec"), now)
            return Outcome(None, f"the spec is wrong: {wrong(error)}")
        if rollout.metadata.deletion_timestamp is not None:
            return self._deleted(rollout, obj)
        try:
            return self._reconciled(rollout, obj, state, now)
        except ProviderUnknown as error:
            state.publish(refused(str(error), "ProviderUnknown"), now)
            return Outcome(None, str(error))
        except (SurroundingsFailed, InputRefused, RouteRefused) as error:
            with suppress(SurroundingsFailed, Refused):
                reason = "Refused" if isinstance(error, Refused) else "Hindered"
                state.publish(refused(str(error), reason), now)
            return Outcome(None, "", str(error))

    def _reconciled(self, rollout: ModelRollout, obj: Object, state: ResourceState, now: datetime) -> Outcome:
        spec, account = rollout.spec, rollout.spec.service_account_name
        obj = stamped(self._cluster, obj, self._epoch())
        self._finalized(obj, spec.deletion_policy is DeletionPolicy.RETAIN)
        namespace, name = rollout.metadata.namespace, rollout.metadata.name
        route = self._cluster.get(HTTP_ROUTE, namespace, route_name(name))
        if route is not None:
            stamped(self._cluster, route, self._epoch(), account)
        held = self._building(rollout, state)
        assert held.reconcile is not None
        assert held.models is not None
        collector = self._surroundings.ensure_collector(namespace)
        held.gateway.mend()
        looked = held.reconcile.tick()
        if looked.trouble:
            held.reconcile.introduce()
        split = held.gateway.split(name)
        self._publish(rollout, state, held, looked, split, now)
        status = held.reconcile.status
        mirror = split.mirror_percent if split is not None and split.mirror else 0
        self._metrics.rollout(namespace, name, status, mirror)
        again_s = max(0.05, (held.reconcile.wake(now) - now).total_seconds())
        unsettled = looked.busy or (split is not None and not split.in_effect)
        again_s = min(again_s, BUSY_S / 5 if unsettled else again_s)
        because = looked.because if not collector else f"{looked.because}; {collector}"
        return Outcome(again_s, because, looked.trouble)

    def _building(self, rollout: ModelRollout, state: ResourceState) -> _Held:
        """The adapters, kept as long as the rollout; the reconcile anew with each generation and stable revision."""
        spec, metadata = rollout.spec, rollout.metadata
        place = Place(metadata.namespace, metadata.name, metadata.uid, spec.service_account_name)
        settle_s = self._configuration.settle.total_seconds()
        serving = Serving(
            spec.model_name, spec.serving.template, spec.serving.drain.total_seconds(), settle_s
        )
        key = metadata.namespace, metadata.name
        held = self._held.get(key)
        models = (
            self._surroundings.models(rollout)
            if held is None or held.built[0] != metadata.generation
            else held.models
        )
        assert models is not None
        if held is None or held.uid != metadata.uid:
            servers = KserveServers(
                self._cluster,
                place,
                serving,
                samples=models.samples,
                in_use=lambda revision: self._held[key].gateway.in_use(revision),
                http=self._surroundings.http(),
            )
            gateway = GatewayApi(
                self._cluster, place, _route(rollout), backend=servers.address, settle_s=settle_s
            )
            held = self._held[key] = _Held(metadata.uid, gateway, servers)
        stable = _stable(state)
        built = metadata.generation, stable.revision if stable is not None else ""
        if held.built != built:
            held.gateway.respec(place, _route(rollout))
            held.servers.respec(place, serving)
            held.reconcile = ReconcileRollout(
                spec.rollout(),
                self._target(rollout, models, stable),
                clock=self._clock,
                state=state,
                evidence=self._surroundings.evidence(metadata.namespace),
                gateway=held.gateway,
                servers=held.servers,
                registry=models.registry,
                profiles=models.profiles,
                metrics=self._surroundings.metrics(metadata.namespace),
            )
            held.models, held.built = models, built
        return held

    def _target(self, rollout: ModelRollout, models: Models, stable: RevisionRef | None) -> Target:
        """Blocks and the maturity of labels are those of the stable model's own profile."""
        spec, metadata = rollout.spec, rollout.metadata
        scope = f"{metadata.namespace}.{metadata.name}"
        registry = spec.model.registry
        cut, mature_after = cohorts(models, stable)
        return Target(
            name=metadata.name,
            cut=cut,
            mature_after=mature_after,
            tick=self._configuration.tick,
            poll_every=registry.poll_every if registry is not None else timedelta(hours=1),
            model=models.name,
            served=spec.model_name,
            host=metadata.name,
            scope=scope,
            template=template_text(spec.serving.template),
            alias=registry.alias if registry is not None else "candidate",
            stable_alias=f"stable.{scope}" if registry is not None else "stable",
            closed_every=CLOSED_EVERY,
        )

    def _publish(
        self,
        rollout: ModelRollout,
        state: ResourceState,
        held: _Held,
        looked: Looked,
        split: Split | None,
        now: datetime,
    ) -> None:
        assert held.reconcile is not None
        status = held.reconcile.status
        stable = held.servers.observed().get(status.stable.revision) if status.stable is not None else None
        wished = held.reconcile.candidacy.newest(now)
        current = held.reconcile.candidacy.current(now)
        facts = list(held.gateway.facts())
        ref = status.candidate or (wished.ref if wished is not None else status.stable)
        if ref is not None:
            facts.append(self._template(held, rollout.metadata.generation, ref))
        seen = Seen(
            status, looked, split, stable, facts,
            resolved=True if wished is not None else (False if current else None),
            unresolved=_unresolved(rollout, current),
            ordered=rollout.act_problem,
        )  # fmt: skip
        url = held.gateway.url()
        mirror = split.mirror_percent if split is not None and split.mirror else 0
        state.publish(conditions(seen), now, address={"url": url} if url else None, **shown(status, mirror))

    def _template(self, held: _Held, generation: int, ref: RevisionRef) -> Fact:
        """TemplateValid: asked once a generation and revision, again while the API server could not say."""
        about = generation, ref.revision
        if held.judged is None or held.judged[0] != about or held.judged[1].status == "Unknown":
            revision = Revision(ref.revision, ref.version, ref.uri, ref.digest)
            held.judged = about, held.servers.template_fact(revision)
        return held.judged[1]

    def _finalized(self, obj: Object, wanted: bool) -> None:
        """Only Retain needs to act before the object goes."""
        finalizers = list(obj["metadata"].get("finalizers") or [])
        if wanted != (FINALIZER in finalizers):
            wished = [*finalizers, FINALIZER] if wanted else [one for one in finalizers if one != FINALIZER]
            self._cluster.replace({**obj, "metadata": {**obj["metadata"], "finalizers": wished}})

    def _deleted(self, rollout: ModelRollout, obj: Object) -> Outcome:
        """Retain: route and servers in use lose their owner before the rollout goes. In a namespace that goes too,
        nothing is kept."""
        metadata, spec = rollout.metadata, rollout.spec
        if FINALIZER not in metadata.finalizers:
            return Outcome(None, "it is being deleted")
        namespace = self._cluster.read(NAMESPACE, "", metadata.namespace)
        going = namespace is None or bool(namespace["metadata"].get("deletionTimestamp"))
        if spec.deletion_policy is DeletionPolicy.RETAIN and not going:
            place = Place(metadata.namespace, metadata.name, metadata.uid, spec.service_account_name)
            gateway = GatewayApi(self._cluster, place, _route(rollout), backend=lambda revision: None)
            split = gateway.split(metadata.name)
            try:
                release(self._cluster, place, frozenset(split.weights) if split is not None else frozenset())
            except (SurroundingsFailed, Refused) as error:
                return Outcome(None, "", f"deletionPolicy Retain: {error}")
        self._let_go(obj)
        return Outcome(None, "route and stable go on without an owner" if not going else "the namespace goes")

    def _let_go(self, obj: Object) -> None:
        if FINALIZER in (obj["metadata"].get("finalizers") or []):
            self._finalized(obj, wanted=False)


def cohorts(models: Models, stable: RevisionRef | None) -> tuple[BlockCut, timedelta]:
    """(how time is cut, when labels are mature), as the stable model's profile says.

    Raises:
        SurroundingsFailed: the profile cannot be fetched now.
    """
    if stable is None:
        return BlockCut(), timedelta()
    try:
        profile = Profile.from_bytes(models.profiles.profile(stable.uri))
    except (Unprofiled, InputRefused):
        return BlockCut(), timedelta()
    after_s = profile.label.mature_after_s if profile.label is not None else 0
    return BlockCut(zone=profile.time_zone), timedelta(seconds=after_s)


def _route(rollout: ModelRollout) -> RouteSpec:
    spec = rollout.spec
    return RouteSpec(
        parents=tuple(
            ParentRef(ref.name, ref.namespace or "", ref.section_name or "", ref.port)
            for ref in spec.route.parent_refs
        ),
        hostnames=spec.route.hostnames,
        model_name=spec.model_name,
        match=spec.route.match.value,
        in_cluster=spec.route.in_cluster,
        timeout_s=spec.serving.timeout.total_seconds(),
    )


def _stable(state: ResourceState) -> RevisionRef | None:
    obj = state.resource()
    held = (obj or {}).get("status", {}).get("stable")
    try:
        return RevisionRef.model_validate(held) if held else None
    except ValidationError:
        return None


def _unresolved(rollout: ModelRollout, current: bool) -> str:
    registry = rollout.spec.model.registry
    if registry is None:
        return ""
    if current:
        return (
            f"no version of '{registry.name}' carries the alias '{registry.alias}' at {registry.provider_ref}"
        )
    return f"the registry '{registry.provider_ref}' cannot be asked"

"""ModelRollouts: each one's route, servers, registry and evidence in the hands of control."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from operators.drift import logs
from operators.drift.config import Configuration
from operators.drift.handlers.cohorts import WithoutLabels, cohorts
from operators.drift.handlers.look import Looking, Outcome, stamped, unattended, wrong
from operators.drift.handlers.parsed import Parsed
from operators.drift.handlers.target import served, target_of
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Models, ProviderUnknown, Surroundings
from operators.drift.traces import Span, Tracing
from trimtab.adapters.children import Fact, Place
from trimtab.adapters.gateway_api import GatewayApi, ParentRef, RouteSpec
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import preview_name, route_name
from trimtab.adapters.kserve import KserveServers, Serving
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import FINALIZER, MODEL_ROLLOUT
from trimtab.adapters.retained import release
from trimtab.api.conditions import Condition
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import ModelRollout, shown
from trimtab.api.resources.rollout import DeletionPolicy
from trimtab.api.rollout_status import RevisionRef
from trimtab.control import ReconcileRollout
from trimtab.control.rollout import Looked
from trimtab.ports.clock import Clock
from trimtab.ports.cluster import Cluster, Kind, Object, Refused
from trimtab.ports.gateway import RouteRefused, Split
from trimtab.ports.servers import Revision
from trimtab.ports.state import Conflict

NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
UNSETTLED_S: Final = 2.0
"""What waits for the world is woken by it; this is for what no watch tells, such as a route that settles."""
HINDERED_AFTER_S: Final = 30.0
RELEASED_WITHIN_S: Final = 30.0
"""A deletion waits so long for a gateway to lead everything to stable."""
UNBUILT: Final = (-1, "", "")
Key = tuple[str, str]


@dataclass(slots=True)
class _Held:
    """What is kept of one rollout between looks.

    Attributes:
        uid: another one means another rollout of the same name.
        built: what the reconcile was built from: generation, stable revision, served name.
        judged: the revision and generation whose template the API server was asked about, and what it said.
    """

    uid: str
    state: ResourceState
    gateway: GatewayApi
    servers: KserveServers
    built: tuple[int, str, str] = UNBUILT
    reconcile: ReconcileRollout | None = None
    models: Models | None = None
    judged: tuple[tuple[int, str], tuple[Fact, Fact]] | None = None


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
        self._parsed = Parsed(ModelRollout)
        self._troubled: dict[Key, float] = {}

    def look(self, namespace: str, name: str) -> float | None:
        return self._looking.look(namespace, name, self._look)

    def _look(self, namespace: str, name: str, span: Span) -> Outcome:
        key, obj = (namespace, name), self._cluster.get(MODEL_ROLLOUT, namespace, name)
        if obj is None:
            self._held.pop(key, None)
            self._parsed.forget(namespace, name)
            self._troubled.pop(key, None)
            self._metrics.forget(namespace, name, MODEL_ROLLOUT.kind)
            return Outcome(None, "it is gone")
        generation = int(obj["metadata"].get("generation", 0))
        logs.also(generation=generation)
        span.set_attribute("k8s.generation", generation)
        held = self._held.get(key)
        state = held.state if held else ResourceState(self._cluster, MODEL_ROLLOUT, namespace, name)
        now = self._clock.now()
        try:
            rollout = self._parsed.of(obj)
        except (ValidationError, InputRefused) as error:
            because = f"the spec is wrong: {wrong(error)}"
            if obj["metadata"].get("deletionTimestamp"):
                self._let_go(obj)
            else:
                state.publish(unattended(because, "InvalidSpec", serves=_stable(state) is not None), now)
            return Outcome(None, because)
        rollout, named = served(self._cluster, rollout)
        if rollout.metadata.deletion_timestamp is not None:
            return self._deleted(rollout, obj, state, now)
        try:
            return self._reconciled(rollout, named, obj, state, now)
        except ProviderUnknown as error:
            state.publish(unattended(str(error), "ProviderUnknown", serves=_stable(state) is not None), now)
            return Outcome(None, str(error))
        except (SurroundingsFailed, InputRefused, RouteRefused) as error:
            if because := self._lasting(key, str(error)):
                reason = "Refused" if isinstance(error, Refused) else "Hindered"
                with suppress(SurroundingsFailed, Refused):
                    state.publish(unattended(because, reason, serves=_stable(state) is not None), now)
            return Outcome(None, "", str(error))

    def _reconciled(
        self, rollout: ModelRollout, named: Fact, obj: Object, state: ResourceState, now: datetime
    ) -> Outcome:
        spec, account = rollout.spec, rollout.spec.service_account_name
        obj = stamped(self._cluster, obj, self._epoch())
        self._finalized(obj, spec.deletion_policy is DeletionPolicy.RETAIN)
        namespace, name = rollout.metadata.namespace, rollout.metadata.name
        for one in (route_name(name), preview_name(name)):
            if (route := self._cluster.get(HTTP_ROUTE, namespace, one)) is not None:
                stamped(self._cluster, route, self._epoch(), account)
        held = self._building(rollout, state)
        assert held.reconcile is not None
        collector = self._surroundings.ensure_collector(namespace)
        held.gateway.mend()
        held.gateway.in_cluster()
        looked = held.reconcile.tick()
        if looked.conflict:
            raise Conflict(looked.trouble)
        if looked.trouble:
            held.reconcile.introduce()
        split = held.gateway.split(name)
        lasting = self._lasting((namespace, name), looked.trouble)
        self._publish(rollout, held, looked, split, (named,), lasting, now)
        status = held.reconcile.status
        mirror = split.mirror_percent if split is not None and split.mirror else 0
        self._metrics.rollout(namespace, name, status, mirror)
        again_s = max(0.05, (held.reconcile.wake(now) - now).total_seconds())
        unsettled = not looked.trouble and (looked.busy or (split is not None and not split.in_effect))
        again_s = min(again_s, UNSETTLED_S if unsettled else again_s)
        because = looked.because if not collector else f"{looked.because}; {collector}"
        return Outcome(again_s, because, looked.trouble)

    def _lasting(self, key: Key, trouble: str) -> str:
        """The trouble, if there has been some for a while: a moment's is no news for a person."""
        if not trouble:
            self._troubled.pop(key, None)
            return ""
        since_s = self._troubled.setdefault(key, self._clock.monotonic_s())
        return trouble if self._clock.monotonic_s() - since_s >= HINDERED_AFTER_S else ""

    def _adapters(self, rollout: ModelRollout, state: ResourceState) -> _Held:
        """Route and servers, kept as long as the rollout."""
        spec, metadata = rollout.spec, rollout.metadata
        place = Place(metadata.namespace, metadata.name, metadata.uid, spec.service_account_name)
        settle_s = self._configuration.settle.total_seconds()
        serving = Serving(
            spec.model_name, spec.serving.template, spec.serving.drain.total_seconds(), settle_s
        )
        key = metadata.namespace, metadata.name
        held = self._held.get(key)
        if held is None or held.uid != metadata.uid:
            servers = KserveServers(
                self._cluster,
                place,
                serving,
                samples=lambda uri: self._samples(key, uri),
                in_use=lambda revision: self._held[key].gateway.in_use(revision),
                http=self._surroundings.http(),
                clock_s=self._clock.monotonic_s,
            )
            gateway = GatewayApi(
                self._cluster,
                place,
                route_spec(rollout),
                backend=servers.address,
                settle_s=settle_s,
                counts=self._surroundings.counts,
                gateways=self._surroundings.gateways,
                mirrorings=self._surroundings.mirrorings,
                rivals=self._surroundings.rivals,
                clock_s=self._clock.monotonic_s,
            )
            held = self._held[key] = _Held(metadata.uid, state, gateway, servers)
        held.gateway.respec(place, route_spec(rollout))
        held.servers.respec(place, serving)
        return held

    def _samples(self, key: Key, uri: str) -> Sequence[Any]:
        models = self._held[key].models
        return models.samples(uri) if models is not None else ()

    def _building(self, rollout: ModelRollout, state: ResourceState) -> _Held:
        """The reconcile, anew with each generation and stable revision."""
        spec, metadata = rollout.spec, rollout.metadata
        held = self._adapters(rollout, state)
        models = held.models
        if models is None or held.built[0] != metadata.generation:
            models = self._surroundings.models(rollout, held.state.lineage)
        stable = _stable(state)
        built = metadata.generation, stable.revision if stable is not None else "", spec.model_name
        if held.built != built:
            known = cohorts(models.profiles, stable)
            evidence = self._surroundings.evidence(metadata.namespace)
            held.reconcile = ReconcileRollout(
                spec.rollout(),
                target_of(rollout, models, known, self._configuration.tick),
                clock=self._clock,
                state=held.state,
                evidence=WithoutLabels(evidence, known.unknown) if known.unknown else evidence,
                gateway=held.gateway,
                servers=held.servers,
                registry=models.registry,
                profiles=models.profiles,
                mirrors=held.gateway,
                audiences=held.gateway,
                metrics=self._surroundings.metrics(metadata.namespace),
            )
            # Built anew at the next look where the profile could not be fetched.
            held.models, held.built = models, UNBUILT if known.unknown else built
        return held

    def _publish(
        self,
        rollout: ModelRollout,
        held: _Held,
        looked: Looked,
        split: Split | None,
        known: Sequence[Fact],
        hindered: str,
        now: datetime,
    ) -> None:
        assert held.reconcile is not None
        status = held.reconcile.status
        wished = held.reconcile.candidacy.newest(now)
        facts = [*held.gateway.facts(), *known]
        ref = status.candidate or (wished.ref if wished is not None else status.stable)
        if ref is not None:
            facts += self._template(held, rollout.metadata.generation, ref)
        told = held.reconcile.conditions(
            looked,
            facts=[Condition(fact.type, fact.status, fact.reason, fact.message) for fact in facts],
            hindered=hindered,
            ordered=rollout.act_problem,
            unresolved=_unresolved(rollout, held.reconcile.candidacy.current(now)),
        )
        url = held.gateway.url()
        mirror = split.mirror_percent if split is not None and split.mirror else 0
        address = {"url": url} if url else None
        held.state.publish(told, now, address=address, **shown(status, mirror))

    def _template(self, held: _Held, generation: int, ref: RevisionRef) -> tuple[Fact, Fact]:
        """TemplateValid and DigestChecked: asked once a generation and revision, again while nobody could say."""
        about = generation, ref.revision
        if held.judged is None or held.judged[0] != about or held.judged[1][0].status == "Unknown":
            revision = Revision(ref.revision, ref.version, ref.uri, ref.digest)
            held.judged = about, (held.servers.template_fact(revision), held.servers.digest_fact(revision))
        return held.judged[1]

    def _finalized(self, obj: Object, wanted: bool) -> None:
        """Only Retain needs to act before the object goes."""
        finalizers = list(obj["metadata"].get("finalizers") or [])
        if wanted != (FINALIZER in finalizers):
            wished = [*finalizers, FINALIZER] if wanted else [one for one in finalizers if one != FINALIZER]
            self._cluster.replace({**obj, "metadata": {**obj["metadata"], "finalizers": wished}})

    def _deleted(self, rollout: ModelRollout, obj: Object, state: ResourceState, now: datetime) -> Outcome:
        """Retain: route and servers in use lose their owner before the rollout goes. In a namespace that goes too,
        nothing is kept."""
        metadata, spec = rollout.metadata, rollout.spec
        if FINALIZER not in metadata.finalizers:
            return Outcome(None, "it is being deleted")
        namespace = self._cluster.read(NAMESPACE, "", metadata.namespace)
        going = namespace is None or bool(namespace["metadata"].get("deletionTimestamp"))
        if spec.deletion_policy is DeletionPolicy.RETAIN and not going:
            place = Place(metadata.namespace, metadata.name, metadata.uid, spec.service_account_name)
            held, stable = self._adapters(rollout, state), _stable(state)
            try:
                split = held.gateway.split(metadata.name)
                alone = {stable.revision: 100} if stable is not None else {}
                if (
                    split is not None
                    and alone
                    and replace(split, in_effect=True, empty=frozenset()) != Split(alone)
                ):
                    held.gateway.apply(metadata.name, Split(alone))
                    split = held.gateway.split(metadata.name)
                waited_s = (now - _since(obj, now)).total_seconds()
                if split is not None and not split.in_effect and waited_s < RELEASED_WITHIN_S:
                    return Outcome(UNSETTLED_S, "waits until every request is led to stable")
                release(self._cluster, place, frozenset(split.weights) if split is not None else frozenset())
            except (SurroundingsFailed, InputRefused, RouteRefused) as error:
                because = f"deletionPolicy Retain: {error}"
                state.publish(unattended(because, "NotReleased", serves=stable is not None), now)
                return Outcome(None, "", because)
        self._let_go(obj)
        return Outcome(None, "route and stable go on without an owner" if not going else "the namespace goes")

    def _let_go(self, obj: Object) -> None:
        if FINALIZER in (obj["metadata"].get("finalizers") or []):
            self._finalized(obj, wanted=False)


def route_spec(rollout: ModelRollout) -> RouteSpec:
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


def _since(obj: Object, now: datetime) -> datetime:
    """When its deletion was asked for."""
    try:
        return datetime.fromisoformat(str(obj["metadata"]["deletionTimestamp"]))
    except ValueError:
        return now


def _unresolved(rollout: ModelRollout, current: bool) -> str:
    registry = rollout.spec.model.registry
    if registry is None:
        return ""
    if current:
        return (
            f"no version of '{registry.name}' carries the alias '{registry.alias}' at {registry.provider_ref}"
        )
    return f"the registry '{registry.provider_ref}' cannot be asked"

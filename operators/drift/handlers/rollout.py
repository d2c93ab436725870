"""ModelRollouts: each one's route, servers, registry and evidence in the hands of control."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from operators.drift.handlers.cohorts import WithoutLabels, cohorts
from operators.drift.handlers.look import Handler, Key, Outcome, stamped
from operators.drift.handlers.releasing import finalized, released, stays
from operators.drift.handlers.target import in_hand, place_of, route_spec, served, stable_of, target_of
from operators.drift.surroundings import Models
from trimtab.adapters.children import Fact
from trimtab.adapters.gateway_api import GatewayApi
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import preview_name, route_name
from trimtab.adapters.kserve import KserveServers, Serving
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import FINALIZER, MODEL_ROLLOUT
from trimtab.api.conditions import Condition, condition
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources import ModelRollout, shown
from trimtab.api.resources.rollout import DeletionPolicy
from trimtab.api.rollout_status import RevisionRef
from trimtab.control import ReconcileRollout
from trimtab.control.rollout import Looked
from trimtab.ports.cluster import Object
from trimtab.ports.gateway import RouteRefused
from trimtab.ports.servers import Revision
from trimtab.ports.state import Conflict

UNSETTLED_S: Final = 2.0
"""What waits for the world is woken by it; this is for what no watch tells, such as a route that settles."""
HINDERED_AFTER_S: Final = 30.0
AWAITED: Final = ("RuntimeNotFound", "RuntimeUnclear")
UNBUILT: Final = (-1, "", "")


@dataclass(slots=True)
class _Held:
    """What is kept of one rollout between looks.

    Attributes:
        uid: another one means another rollout of the same name.
        built: what the reconcile was built from: generation, stable revision, served name.
        of: the resource, as it was then.
        judged: the revision and generation whose template the API server was asked about, and what it said.
    """

    uid: str
    state: ResourceState
    gateway: GatewayApi
    servers: KserveServers
    built: tuple[int, str, str] = UNBUILT
    of: Object | None = None
    reconcile: ReconcileRollout | None = None
    models: Models | None = None
    judged: tuple[tuple[int, str], tuple[Fact, Fact]] | None = None


class RolloutHandler(Handler[ModelRollout, _Held]):
    """Looks at one ModelRollout."""

    kind, model = MODEL_ROLLOUT, ModelRollout

    def _reconciled(self, resource: ModelRollout, obj: Object, now: datetime) -> Outcome:
        rollout, fixed = served(self._cluster, resource)
        namespace, name = rollout.metadata.namespace, rollout.metadata.name
        obj = stamped(self._cluster, obj, self._epoch())
        # Only Retain needs to act before the object goes.
        finalized(self._cluster, obj, rollout.spec.deletion_policy is DeletionPolicy.RETAIN)
        for one in (route_name(name), preview_name(name)):
            if (route := self._cluster.get(HTTP_ROUTE, namespace, one)) is not None:
                stamped(self._cluster, route, self._epoch(), rollout.spec.service_account_name)
        held = self._building(rollout)
        assert held.reconcile is not None
        collector = self._surroundings.ensure_collector(namespace)
        held.gateway.mend()
        held.gateway.in_cluster()
        looked = held.reconcile.tick()
        if looked.trouble and collector:
            looked = replace(looked, trouble=f"{looked.trouble}; {collector}")
        if looked.conflict:
            raise Conflict(looked.trouble)
        if looked.trouble:
            held.reconcile.introduce()
        split = held.gateway.split(name)
        mirror = split.mirror_percent if split is not None and split.mirror else 0
        self._publish(rollout, held, looked, fixed, mirror, now)
        self._metrics.rollout(namespace, name, held.reconcile.status, mirror)
        again_s = self._until_s(held.reconcile.wake(now), now)
        if not looked.trouble and (looked.busy or (split is not None and not split.in_effect)):
            again_s = min(again_s, UNSETTLED_S)
        because = looked.because if not collector else f"{looked.because}; {collector}"
        return Outcome(again_s, because, looked.trouble)

    def _deleted(self, resource: ModelRollout | None, obj: Object, now: datetime) -> Outcome:
        because = "it is being deleted"
        if resource is not None and FINALIZER in resource.metadata.finalizers:
            rollout, _ = served(self._cluster, resource)
            key, because = (rollout.metadata.namespace, rollout.metadata.name), "nothing of it is kept"
            if stays(self._cluster, rollout):
                gateway, stable = self._adapters(rollout).gateway, stable_of(self._state(key))
                try:
                    if not released(self._cluster, gateway, rollout, obj, stable, now):
                        return Outcome(UNSETTLED_S, "waits until every request is led to stable")
                except (SurroundingsFailed, InputRefused, RouteRefused) as error:
                    trouble = f"deletionPolicy Retain: {error}"
                    self._say(key, trouble, "NotReleased", now)
                    return Outcome(None, "", trouble)
                because = "route and stable go on without an owner"
        finalized(self._cluster, obj, wanted=False)
        return Outcome(None, because)

    def _unattended(self, key: Key, because: str, reason: str) -> tuple[Condition, ...]:
        """What serves goes on serving: that is no less ready."""
        stalled = condition("Stalled", True, reason, because)
        serves = stable_of(self._state(key)) is not None
        return (stalled,) if serves else (stalled, *super()._unattended(key, because, reason))

    def _lasting(self, key: Key, trouble: str) -> str:
        """The trouble, if there has been some for a while: a moment's is no news for a person."""
        if not trouble:
            return ""
        return trouble if self._troubled.lasts_s(key, self._machine.monotonic_s()) >= HINDERED_AFTER_S else ""

    def _adapters(self, rollout: ModelRollout) -> _Held:
        """Route and servers, kept as long as the rollout."""
        spec, metadata, place = rollout.spec, rollout.metadata, place_of(rollout)
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
                clock_s=self._machine.monotonic_s,
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
                clock_s=self._machine.monotonic_s,
            )
            held = self._held[key] = _Held(metadata.uid, self._state(key), gateway, servers)
        held.gateway.respec(place, route_spec(rollout))
        held.servers.respec(place, serving)
        return held

    def _samples(self, key: Key, uri: str) -> Sequence[Any]:
        models = self._held[key].models
        return models.samples(uri) if models is not None else ()

    def _building(self, rollout: ModelRollout) -> _Held:
        """The reconcile, anew with each generation and stable revision."""
        spec, metadata = rollout.spec, rollout.metadata
        held = self._adapters(rollout)
        obj, models = held.state.resource(), held.models
        if held.of is obj and held.built == (metadata.generation, held.built[1], spec.model_name):
            return held
        if models is None or held.built[0] != metadata.generation:
            models = self._surroundings.models(rollout, held.state.lineage, in_hand(held.state))
        stable = stable_of(held.state)
        built = metadata.generation, stable.revision if stable is not None else "", spec.model_name
        if held.built != built:
            known = cohorts(models.profiles, stable)
            evidence = self._surroundings.evidence(metadata.namespace)
            held.reconcile = ReconcileRollout(
                spec.rollout(),
                target_of(rollout, models, known, self._tick),
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
        held.of = obj
        return held

    def _publish(
        self, rollout: ModelRollout, held: _Held, looked: Looked, fixed: Fact, mirror: int, now: datetime
    ) -> None:
        assert held.reconcile is not None
        status = held.reconcile.status
        wished = held.reconcile.candidacy.newest(now)
        facts = [*held.gateway.facts(), fixed]
        ref = status.candidate or (wished.ref if wished is not None else status.stable)
        if ref is not None:
            facts += self._template(held, rollout.metadata.generation, ref)
        told = held.reconcile.conditions(
            looked,
            facts=[Condition(fact.type, fact.status, fact.reason, fact.message) for fact in facts],
            hindered=self._lasting((rollout.metadata.namespace, rollout.metadata.name), looked.trouble),
            ordered=rollout.act_problem,
            unresolved=_unresolved(rollout, held.reconcile.candidacy.current(now)),
        )
        url = held.gateway.url()
        address = {"url": url} if url else None
        held.state.publish(told, now, address=address, **shown(status, mirror))

    def _template(self, held: _Held, generation: int, ref: RevisionRef) -> tuple[Fact, Fact]:
        """TemplateValid and DigestChecked: asked once a generation and revision, again while nobody could say, or
        while a runtime is missing, which may come."""
        about = generation, ref.revision
        said = held.judged[1][0] if held.judged is not None and held.judged[0] == about else None
        if said is None or said.status == "Unknown" or said.reason in AWAITED:
            revision = Revision(ref.revision, ref.version, ref.uri, ref.digest)
            held.judged = about, (held.servers.template_fact(revision), held.servers.digest_fact(revision))
        assert held.judged is not None
        return held.judged[1]


def _unresolved(rollout: ModelRollout, current: bool) -> str:
    registry = rollout.spec.model.registry
    if registry is None:
        return ""
    if current:
        return (
            f"no version of '{registry.name}' carries the alias '{registry.alias}' at {registry.provider_ref}"
        )
    return f"the registry '{registry.provider_ref}' cannot be asked"

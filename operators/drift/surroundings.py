"""What a resource's adapters are made of: the servers of the configuration, the namespace's collector, the models.

A resource names a provider; where that is, and by which credentials it is reached, is the configuration's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from operators.drift.breaker import Breaker, Breakers
from operators.drift.config import Configuration, Provider
from operators.drift.reaching import leading, through
from trimtab.adapters.collector import Collector
from trimtab.adapters.gateway_api import Arrived, Gateways, Mirrorings, Rivals
from trimtab.adapters.gateway_api.envoy_counts import EnvoyCounts
from trimtab.adapters.kserve.asking import Http, direct
from trimtab.adapters.kubernetes import Notes
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.adapters.kubernetes.lineage import Lineage
from trimtab.adapters.mlflow import MlflowProfiles, MlflowServer, MlflowServerRegistry
from trimtab.adapters.namespaced_collector import NamespacedCollector, address
from trimtab.adapters.prometheus import PrometheusMetrics
from trimtab.api.errors import InputRefused
from trimtab.api.resources import ModelRollout
from trimtab.api.rollout_status import RevisionRef
from trimtab.control.single import SingleVersion, digest_of_address
from trimtab.ports.cluster import Cluster
from trimtab.ports.evidence import Evidence
from trimtab.ports.metrics import Metrics
from trimtab.ports.profiles import Profiles, Unprofiled
from trimtab.ports.registry import ModelVersion, Registry

COLLECTOR_WITHIN_S = 5.0
PROBED_WITHIN_S = 2.0
Samples = Callable[[str], Sequence[Any]]
P = TypeVar("P", bound=Provider)


class ProviderUnknown(InputRefused):
    """A resource names a provider that the configuration does not have, or not for its namespace."""

    def __init__(self, kind: str, name: str, namespace: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no {kind} provider '{name}' for namespace '{namespace}'; "
            f"{'there are ' + ', '.join(known) if known else 'the configuration names none'}",
            remedy=f"ask those who run the operator to add it under providers.{kind}, or name another",
        )


@dataclass(frozen=True, slots=True)
class Models:
    """Where a rollout's models come from.

    Attributes:
        name: as the registry knows the model.
        samples: example rows of a model, for warm-up; none where the registry has none.
    """

    name: str
    registry: Registry
    profiles: Profiles
    samples: Samples


class NoProfiles:
    """ports.profiles.Profiles of models that no registry describes."""

    def profile(self, uri: str) -> bytes:
        raise Unprofiled(
            f"the model at {uri} has no profile: it is not in a registry",
            remedy="register it with `trimtab`, and name it by spec.model.registry",
        )


class Surroundings:
    """Makes adapters; each belongs to one resource, and so to one thread at a time.

    Attributes:
        gateways, mirrorings, rivals, counts: shared by all; any thread may ask them. From outside the cluster no
            proxy can be asked for its counts.

    Args:
        hangs: told (kind, name, whether it hangs) of each server that begins or ends to.
    """

    def __init__(
        self,
        configuration: Configuration,
        cluster: Cluster,
        hangs: Callable[[str, str, bool], None] = lambda kind, name, hangs: None,
    ) -> None:
        self._configuration, self._cluster = configuration, cluster
        self._breakers = Breakers(hangs)
        collectors = configuration.collector.settings(configuration.lease.namespace)
        self._collectors = NamespacedCollector(cluster, collectors)
        self.gateways = Gateways(cluster)
        self.rivals = Rivals(cluster)
        template = configuration.gateways
        self.mirrorings = Mirrorings(
            cluster, self.gateways, count=self._probed, reach=leading(template) if template else None
        )
        self.counts = None if configuration.services else EnvoyCounts(cluster)

    def models(
        self,
        rollout: ModelRollout,
        lineage: Lineage | None = None,
        under_way: Sequence[RevisionRef] = (),
    ) -> Models:
        """
        Args:
            lineage: of the rollout's own writes.
            under_way: revisions that the rollout has in hand, whatever its spec says by now.

        Raises:
            ProviderUnknown
        """
        spec, metadata = rollout.spec, rollout.metadata
        if spec.model.registry is None:
            notes = Notes(self._cluster, MODEL_ROLLOUT, metadata.namespace, metadata.name, lineage=lineage)
            assert spec.model.uri is not None
            version = ModelVersion(
                metadata.name,
                spec.model.version or "",
                spec.model.uri,
                spec.model.digest or digest_of_address(spec.model.uri),
            )
            in_hand = [ModelVersion(metadata.name, one.version, one.uri, one.digest) for one in under_way]
            return Models(metadata.name, SingleVersion(version, notes, in_hand), NoProfiles(), lambda uri: ())
        named = spec.model.registry
        provider = self.provider(
            "mlflow", self._configuration.providers.mlflow, named.provider_ref, metadata.namespace
        )
        server = MlflowServer(
            provider.url,
            token_file=provider.token_file,
            ca_file=provider.ca_file,
            passing=self.breaker("mlflow", provider.name).passing,
        )
        profiles = MlflowProfiles(server, named.name, self._cache(provider))
        return Models(named.name, MlflowServerRegistry(server), profiles, lambda uri: _rows(profiles, uri))

    def evidence(self, namespace: str) -> Evidence:
        """The namespace's collector, from where we run."""
        return self._collector(namespace, COLLECTOR_WITHIN_S)

    def ensure_collector(self, namespace: str) -> str:
        """Ask for the namespace's collector; returns why it is not ready, "" when it is, or is not ours to make."""
        return self._collectors.ensure(namespace) if self._configuration.collector.image else ""

    def http(self) -> Http:
        """How a server's Service is asked, from where we run."""
        template = self._configuration.services
        return through(template) if template else direct

    def metrics(self, namespace: str) -> Metrics:
        """Prometheus, by the providers that the namespace may name."""
        allowed = {p.name: p for p in self._configuration.providers.prometheus if p.allows(namespace)}
        return PrometheusMetrics(
            allowed, passing=lambda provider: self.breaker("prometheus", provider).passing()
        )

    def breaker(self, kind: str, name: str) -> Breaker:
        """Of one server, shared by all that name it."""
        return self._breakers.of(kind, name)

    def provider(self, kind: str, known: Sequence[P], name: str, namespace: str) -> P:
        allowed = [one for one in known if one.allows(namespace)]
        found = next((one for one in allowed if one.name == name), None)
        if found is None:
            raise ProviderUnknown(kind, name, namespace, [one.name for one in allowed])
        return found

    def _collector(self, namespace: str, timeout_s: float) -> Collector:
        template = self._configuration.collector.address
        at = template.format(namespace=namespace) if template else address(namespace)
        return Collector(at, timeout_s=timeout_s, passing=self.breaker("collector", at).passing)

    def _probed(self, namespace: str, nonce: str) -> Arrived:
        """Any thread may ask: each has a connection of its own."""
        collector = self._collector(namespace, PROBED_WITHIN_S)
        try:
            return Arrived(**collector.probed(nonce))
        finally:
            collector.close()

    def _cache(self, provider: Provider) -> Path:
        return self._configuration.cache / "profiles" / provider.name


def _rows(profiles: MlflowProfiles, uri: str) -> Sequence[Any]:
    """The example requests of a model; none where it was exported without."""
    try:
        return profiles.rows(uri)
    except InputRefused:
        return ()

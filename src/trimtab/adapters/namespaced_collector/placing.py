"""Sees to it that a namespace has its collector; a look that finds it as wished asks the API server nothing."""

from typing import Final

from trimtab.adapters.namespaced_collector.fence import NETWORK_POLICY
from trimtab.adapters.namespaced_collector.objects import (
    CONFIG,
    NAME,
    CollectorSettings,
    collector_objects,
)
from trimtab.ports.cluster import Cluster, Kind, Object, Refused

STATEFUL_SET: Final = Kind("apps", "v1", "StatefulSet", "statefulsets")
SERVICE: Final = Kind("", "v1", "Service", "services")


class NamespacedCollector:
    """The collectors of all namespaces. Watched: what carries objects.LABELS."""

    def __init__(self, cluster: Cluster, settings: CollectorSettings) -> None:
        self._cluster, self._settings = cluster, settings

    def ensure(self, namespace: str) -> str:
        """Ask for it where it is not as wished; returns why it does not answer yet, "" once it does.

        Raises:
            Refused: the API server says no, a quota among others.
            SurroundingsFailed: it cannot be reached.
        """
        wished, service, policy = collector_objects(namespace, self._settings)
        if policy is not None:
            self._placed(NETWORK_POLICY, namespace, policy)
        elif self._cluster.get(NETWORK_POLICY, namespace, NAME) is not None:
            self._cluster.delete(NETWORK_POLICY, namespace, NAME)
        held = self._placed(STATEFUL_SET, namespace, wished)
        self._placed(SERVICE, namespace, service)
        if held.get("status", {}).get("readyReplicas", 0) >= 1:
            return ""
        return f"the collector of namespace {namespace} is not ready yet (StatefulSet {NAME})"

    def _placed(self, kind: Kind, namespace: str, wished: Object) -> Object:
        held = self._cluster.get(kind, namespace, NAME)
        digest = wished["metadata"]["annotations"][CONFIG]
        if held is not None and (held["metadata"].get("annotations") or {}).get(CONFIG) == digest:
            return held
        try:
            return self._cluster.apply(wished)
        except Refused as refused:
            if held is None or kind is not STATEFUL_SET:
                raise
            raise Refused(
                f"StatefulSet {NAME} in namespace {namespace} cannot become what the configuration says: "
                f"{refused.message}",
                reason=refused.reason,
                remedy=f"a volume's size cannot be changed here: kubectl -n {namespace} delete statefulset {NAME} "
                "--cascade=orphan, and it is made anew over the same claim",
            ) from refused

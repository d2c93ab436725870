"""Sees to it that a namespace has its collector; a look that finds it ready asks the API server nothing."""

import time
from collections.abc import Callable
from typing import Final

from trimtab.adapters import hindrance
from trimtab.adapters.failed_create import failed_create
from trimtab.adapters.namespaced_collector.fence import NETWORK_POLICY
from trimtab.adapters.namespaced_collector.objects import (
    CONFIG,
    LABELS,
    NAME,
    CollectorSettings,
    collector_objects,
)
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Cluster, Kind, Object, Refused

STATEFUL_SET: Final = Kind("apps", "v1", "StatefulSet", "statefulsets")
SERVICE: Final = Kind("", "v1", "Service", "services")
POD: Final = Kind("", "v1", "Pod", "pods")
NAME_LABEL: Final = "app.kubernetes.io/name"


LOOK_AGAIN_S: Final = 5.0
"""What hinders one is not looked for again within this: all rollouts of its namespace ask."""


class NamespacedCollector:
    """The collectors of all namespaces. Watched: what carries objects.LABELS.

    Args:
        clock_s: monotonic.
    """

    def __init__(
        self, cluster: Cluster, settings: CollectorSettings, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster, self._settings, self._clock_s = cluster, settings, clock_s
        self._hindered: dict[str, tuple[float, str]] = {}

    def ensure(self, namespace: str) -> str:
        """Ask for it where it is not as wished; returns why it does not answer yet, "" once it does.

        Raises:
            Refused: the API server says no.
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
            self._hindered.pop(namespace, None)
            return ""
        because = self._because(namespace)
        told = f": {because}" if because else ""
        return f"the collector of namespace {namespace} is not ready yet (StatefulSet {NAME}){told}"

    def _because(self, namespace: str) -> str:
        """What hinders it, as last looked for."""
        at_s, said = self._hindered.get(namespace, (float("-inf"), ""))
        if self._clock_s() - at_s < LOOK_AGAIN_S:
            return said
        said = self._looked(namespace)
        self._hindered[namespace] = self._clock_s(), said
        return said

    def _looked(self, namespace: str) -> str:
        """Its pod says so; where none can be made, events do."""
        try:
            if pods := self._cluster.list(POD, namespace, {NAME_LABEL: LABELS[NAME_LABEL]}):
                return hindrance.of_pods(pods)
        except (Refused, SurroundingsFailed):
            return ""
        return failed_create(self._cluster, STATEFUL_SET, namespace, NAME)

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

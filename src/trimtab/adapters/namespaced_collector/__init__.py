"""The collector that each namespace with a rollout or a monitor has: one, owned by neither."""

from trimtab.adapters.namespaced_collector.fence import NETWORK_POLICY, Fence
from trimtab.adapters.namespaced_collector.objects import CollectorSettings, address, collector_objects
from trimtab.adapters.namespaced_collector.placing import SERVICE, STATEFUL_SET, NamespacedCollector

__all__ = [
    "NETWORK_POLICY",
    "SERVICE",
    "STATEFUL_SET",
    "CollectorSettings",
    "Fence",
    "NamespacedCollector",
    "address",
    "collector_objects",
]

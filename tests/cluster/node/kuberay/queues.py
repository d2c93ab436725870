"""A queue of Kueue's, with a quota of its own."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.cluster.kube.node import Node

QUEUE: Final = "team"
URGENT: Final = "urgent"


class Queue:
    """A LocalQueue of a namespace, and the ClusterQueue behind it, which has no other."""

    def __init__(self, node: "Node", namespace: str) -> None:
        self.node, self.namespace = node, namespace

    def offer(self, cpu: str, stop: str = "None") -> None:
        """So much quota, and more memory than anybody asks for.

        Args:
            stop: the ClusterQueue's `stopPolicy`.
        """
        from tests.cluster.kube.node_kueue import API, FLAVOR

        quotas = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "8Gi"}]
        group = {"coveredResources": ["cpu", "memory"], "flavors": [{"name": FLAVOR, "resources": quotas}]}
        spec = {
            "namespaceSelector": {},
            "resourceGroups": [group],
            "preemption": {"withinClusterQueue": "LowerPriority"},
            "stopPolicy": stop,
        }
        here = {"name": QUEUE, "namespace": self.namespace}
        self.node.apply(
            {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": self.namespace}, "spec": spec},
            {
                "apiVersion": API,
                "kind": "LocalQueue",
                "metadata": here,
                "spec": {"clusterQueue": self.namespace},
            },
        )

    def outbid(self) -> None:
        """A Job of more urgency takes most of the quota."""
        from tests.cluster.kube import images
        from tests.cluster.kube.node_kueue import API

        container = {
            "name": "run",
            "image": images.WEB,
            "imagePullPolicy": "IfNotPresent",
            "resources": {"requests": {"cpu": "800m", "memory": "16Mi"}},
        }
        labels = {"kueue.x-k8s.io/queue-name": QUEUE, "kueue.x-k8s.io/priority-class": URGENT}
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
        self.node.apply(
            {"apiVersion": API, "kind": "WorkloadPriorityClass", "metadata": {"name": URGENT}, "value": 1000},
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": URGENT, "namespace": self.namespace, "labels": labels},
                "spec": {"template": {"spec": pod}},
            },
        )

    def delete(self) -> None:
        self.node.kubectl("delete", "clusterqueue", self.namespace, "--wait=false")

    def workloads(self) -> list[dict[str, Any]]:
        """What stands in it."""
        return self.node.list("workloads.kueue.x-k8s.io", self.namespace)

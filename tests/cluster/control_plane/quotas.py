"""A ResourceQuota is in force a moment after it is counted: whether pods are refused is seen by asking for one."""

from typing import Any

from tests.cluster.kube.direct import Direct
from trimtab.ports.cluster import Refused


def refuses(cluster: Direct, namespace: str, pod: dict[str, Any]) -> bool:
    """Whether such a pod would exceed a quota there; none is made."""
    try:
        cluster.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    except Refused as refused:
        return "exceeded quota" in str(refused)
    return False

"""A namespace for one test, and its end, with or without kube-controller-manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.cluster.kube.direct import Direct, NotFound
from tests.cluster.kube.poll import eventually
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Kind, Refused
from trimtab.ports.state import Conflict

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)


@contextmanager
def fresh(cluster: Direct, prefix: str = "t") -> Iterator[str]:
    """A new namespace with the service account `default`, emptied and deleted at the end."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": name},
    }
    cluster.create(account)
    try:
        yield name
    finally:
        remove(cluster, name)


def remove(cluster: Direct, name: str) -> None:
    """Delete all that is in it, finalizers or not, and then itself.

    Kinds that come and go meanwhile, as in a test that takes a CRD away, are passed over.
    """
    cluster.delete(NAMESPACE, "", name)
    for kind in deletable(cluster):
        empty(cluster, kind, name)
    try:
        held = dict(cluster.call("GET", f"/api/v1/namespaces/{name}"))
        held["spec"] = {"finalizers": []}
        cluster.call("PUT", f"/api/v1/namespaces/{name}/finalize", held)
    except (NotFound, Conflict):
        pass
    eventually(f"namespace {name} is gone", lambda: cluster.read(NAMESPACE, "", name) is None)


def deletable(cluster: Direct) -> Iterator[Kind]:
    """Namespaced kinds whose collections can be deleted, each in the version that the API server prefers."""
    yield from _deletable(cluster, "", "v1")
    for group in cluster.call("GET", "/apis")["groups"]:
        yield from _deletable(cluster, group["name"], group["preferredVersion"]["version"])


def _deletable(cluster: Direct, group: str, version: str) -> Iterator[Kind]:
    try:
        served = cluster.call("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]
    except (NotFound, SurroundingsFailed):
        return
    for entry in served:
        if entry["namespaced"] and "deletecollection" in entry["verbs"]:
            yield Kind(group, version, entry["kind"], entry["name"])


def empty(cluster: Direct, kind: Kind, namespace: str) -> None:
    path = f"{'/apis' if kind.group else '/api'}/{kind.api_version}/namespaces/{namespace}/{kind.plural}"
    try:
        cluster.call("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
        for left in cluster.list(kind, namespace):
            if left["metadata"].get("finalizers"):
                cluster.merge(kind, namespace, left["metadata"]["name"], {"metadata": {"finalizers": None}})
    except (NotFound, Conflict, Refused, SurroundingsFailed):
        return

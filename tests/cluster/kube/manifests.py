"""Files of YAML documents, put into a cluster."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube.direct import Direct, NotFound
from tests.cluster.kube.errors import ClusterToolFailed
from tests.cluster.kube.poll import eventually
from trimtab.ports.cluster import Kind, Object

CRD = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

BETWEEN = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parsed(text: str) -> list[dict[str, Any]]:
    """Every object in a text; by libyaml, which takes a tenth of the time."""
    return [document for document in yaml.load_all(text, _Loader) if document]


def documents(paths: Iterable[Path], *, crds: bool = True) -> Iterator[dict[str, Any]]:
    """Every object in these files, and in the `*.yaml` files of these folders; a kustomization is none.

    Args:
        crds: False leaves CRDs out, unparsed: a release's file takes seconds otherwise.
    """
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            for text in BETWEEN.split(file.read_text(encoding="utf-8")):
                if not crds and f"\nkind: {CRD.kind}\n" in text:
                    continue
                document = yaml.load(text, _Loader)
                if document and document.get("kind") != "Kustomization":
                    yield document


def install(cluster: Direct, paths: Iterable[Path]) -> None:
    """Apply all of it, and wait until every CRD in it is served."""
    held = list(documents(paths))
    put(cluster, held)
    for crd in held:
        if crd["kind"] == CRD.kind:
            wait_until_served(cluster, crd["metadata"]["name"])


def put(cluster: Direct, objects: Iterable[Object]) -> None:
    """Create them, or apply what is there. Applying takes a new API server seconds, once, after CRDs came."""
    for obj in objects:
        if cluster.create(obj) is None:
            cluster.apply(obj)


def remove_kind(cluster: Direct, name: str) -> None:
    """Delete a CRD, and wait until it is gone: who applies it meanwhile changes what is about to go.

    Its finalizer leaves it to the next change after a conflict, and tries ever later after an error
    (apiextensions-apiserver, crd_finalizer.go): one that lingers, as was seen once, is touched.
    """

    def gone() -> bool:
        return cluster.read(CRD, "", name) is None

    cluster.delete(CRD, "", name)
    try:
        eventually(f"CRD {name} is gone", gone, 20)
    except ClusterToolFailed:
        status = (cluster.read(CRD, "", name) or {}).get("status")
        with suppress(NotFound):
            cluster.merge(
                CRD, "", name, {"metadata": {"annotations": {"trimtab.dev/touched": str(time.time())}}}
            )
        eventually(f"CRD {name}, whose status was {status}, is gone", gone, 40)


def wait_until_served(cluster: Direct, name: str, within_s: float = 120.0) -> None:
    def served() -> bool:
        crd = cluster.read(CRD, "", name)
        if crd is None or not established(crd):
            return False
        spec = crd["spec"]
        versions = [version["name"] for version in spec["versions"] if version["served"]]
        names = spec["names"]
        return all(
            cluster.installed(Kind(spec["group"], version, names["kind"], names["plural"]))
            for version in versions
        )

    eventually(f"CRD {name} is served", served, within_s)


def established(crd: Any) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

"""Files of YAML documents, put into a cluster."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kube.direct import Direct
from tests.cluster.kube.poll import eventually
from trimtab.ports.cluster import Kind

CRD = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Every object in these files, and in the `*.yaml` files of these folders; a kustomization is none."""
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            for document in yaml.load_all(file.read_text(encoding="utf-8"), _Loader):
                if document and document.get("kind") != "Kustomization":
                    yield document


def install(cluster: Direct, paths: Iterable[Path]) -> None:
    """Apply all of it, and wait until every CRD in it is served."""
    made = [cluster.apply(document) for document in documents(paths)]
    for crd in made:
        if crd["kind"] == CRD.kind:
            wait_until_served(cluster, crd["metadata"]["name"])


def wait_until_served(cluster: Direct, name: str, within_s: float = 30.0) -> None:
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

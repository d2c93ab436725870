"""Where the API server serves a kind, and what its objects are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Object = Mapping[str, Any]
"""One object as JSON. Those in a store are shared by all who read: copy before you change."""


class Key(NamedTuple):
    """One object of a kind. `namespace` is "" for what belongs to the whole cluster."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind that the API server serves.

    Attributes:
        group: "" for the core group.
        plural: the resource's name in the URL.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """
        >>> Resource("apps", "v1", "Deployment", "deployments").api_version
        'apps/v1'
        """
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """
        >>> Resource("", "v1", "Secret", "secrets").root
        '/api/v1'
        """
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of one object, or without a name of all in the namespace ("" for all there are).

        >>> Resource("apps", "v1", "Deployment", "deployments").path("shop", "web", "status")
        '/apis/apps/v1/namespaces/shop/deployments/web/status'
        """
        inside = ("namespaces", namespace) if namespace and self.namespaced else ()
        return "/".join(part for part in (self.root, *inside, self.plural, name, subresource) if part)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def key_of(obj: Object) -> Key:
    """
    >>> key_of({"metadata": {"name": "web", "namespace": "shop"}})
    Key(namespace='shop', name='web')
    """
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def uid_of(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def version_of(obj: Object) -> int:
    """The resourceVersion as a number: later writes have greater ones (Kubernetes 1.35, KEP 5504)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def labels_of(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}

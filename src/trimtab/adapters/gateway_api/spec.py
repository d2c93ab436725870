"""What a ModelRollout says of its route, as the adapter needs it."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from trimtab.adapters.children import Json

PATH_SAFE = "-._~!$&'()*+,;=:@"


@dataclass(frozen=True, slots=True)
class ParentRef:
    """A Gateway, or one of its listeners.

    Attributes:
        namespace: "" for the route's own.
        section: a listener's name; "" for every one.
    """

    name: str
    namespace: str = ""
    section: str = ""
    port: int | None = None

    def to_json(self) -> Json:
        found: Json = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": self.name}
        if self.namespace:
            found["namespace"] = self.namespace
        if self.section:
            found["sectionName"] = self.section
        if self.port is not None:
            found["port"] = self.port
        return found

    def names(self, ref: Any, namespace: str) -> bool:
        """Whether a parentRef of a route in `namespace` is this one."""
        own, theirs = self.to_json(), {"group": "gateway.networking.k8s.io", "kind": "Gateway", **ref}
        for one in (own, theirs):
            one.setdefault("namespace", namespace)
        return all(
            own.get(key) == theirs.get(key)
            for key in ("group", "kind", "name", "namespace", "sectionName", "port")
        )


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """Which requests are a rollout's.

    Attributes:
        match: Model for the paths of the served name, Host for every path of the hostnames.
        in_cluster: whether a Service of the rollout's name leads callers of the cluster to the gateway.
        timeout_s: a request is cut after this.
    """

    parents: tuple[ParentRef, ...]
    hostnames: tuple[str, ...]
    model_name: str
    match: Literal["Model", "Host"] = "Model"
    in_cluster: bool = True
    timeout_s: float = 60.0


def matches(spec: RouteSpec) -> list[Json]:
    """The same requests as Envoy's route of one machine takes."""
    if spec.match == "Host":
        return [{"path": {"type": "PathPrefix", "value": "/"}}]
    name = quote(spec.model_name, safe=PATH_SAFE)
    exact = (f"/v1/models/{name}", f"/v1/models/{name}:predict", f"/v1/models/{name}:explain")
    paths = [{"path": {"type": "Exact", "value": value}} for value in exact]
    return [*paths, {"path": {"type": "PathPrefix", "value": f"/v2/models/{name}"}}]


def in_cluster_names(rollout: str, namespace: str) -> tuple[str, ...]:
    """By which callers of the cluster may name the Service `<rollout>`."""
    return tuple(f"{rollout}.{namespace}{end}" for end in ("", ".svc", ".svc.cluster.local"))


def hostnames(spec: RouteSpec, rollout: str, namespace: str) -> list[str]:
    """Those of the route; none at all stands for every one."""
    if not spec.hostnames or not spec.in_cluster:
        return list(spec.hostnames)
    more = (name for name in in_cluster_names(rollout, namespace) if name not in spec.hostnames)
    return [*spec.hostnames, *more]


def duration(seconds: float) -> str:
    """As the Gateway API writes it.

    >>> duration(60), duration(90), duration(0.25)
    ('1m', '1m30s', '250ms')
    """
    left, found = round(seconds * 1000), ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        whole, left = divmod(left, size)
        found += f"{whole}{unit}" if whole else ""
    return found or "0s"

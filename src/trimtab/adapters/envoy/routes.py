"""A split as an Envoy RouteConfiguration, and back.

The draw. Envoy takes header `x-trimtab-draw`, decimal text of a uniform uint64, modulo the weights' total
(100) and walks the clusters in order, older revisions first: with {stable: 95, candidate: 5} the candidate
gets the draws with draw mod 100 ≥ 95, and keeps them when its weight grows. Without the header, or with one
that is no uint64, Envoy draws by itself.

The mirror. At 100 % every request is copied. Below, Envoy's own draw cannot be seeded (it hashes an internal
stream id), so a request that carries the draw is routed by it: at p ≤ 50 it is copied if draw < 2⁶⁴·p/100,
above if draw ≥ 2⁶⁴·(100 − p)/100 (Envoy compares signed 64-bit integers). Without the header Envoy draws.

A virtual host of its own answers the configuration's version: what the one worker thread answers there is
what it routes by.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trimtab.adapters.envoy.clusters import ANY, Purpose, cluster_name, revision_of
from trimtab.ports.gateway import Split

DRAW_HEADER = "x-trimtab-draw"
PROBE_HOST = "probe.trimtab.invalid"
LARGEST_SIGNED = 2**63 - 1

Json = dict[str, Any]


def to_resource(
    host: str, model_name: str, timeout_s: float, split: Split | None, order: Sequence[str], version: int
) -> Json:
    """The routes of one model host as envoy.config.route.v3.RouteConfiguration in JSON.

    Args:
        order: revisions, older first; holds every revision of `split`.
    """
    probe = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": str(version)}},
    }
    hosts: list[Json] = [{"name": "probe", "domains": [PROBE_HOST], "routes": [probe]}]
    if split is not None:
        routes = list(_routes(model_name, timeout_s, split, order))
        hosts.append({"name": host, "domains": ["*"], "routes": routes})
    return {"@type": f"{ANY}envoy.config.route.v3.RouteConfiguration", "name": host, "virtual_hosts": hosts}


def from_resource(host: str, resource: Mapping[str, Any]) -> Split | None:
    """The split that a RouteConfiguration does, read from its routes; None if the host has none."""
    for virtual_host in resource.get("virtual_hosts", ()):
        if virtual_host["name"] == host:
            return _split_of(virtual_host["routes"][-1]["route"])
    return None


def _split_of(action: Mapping[str, Any]) -> Split:
    weights = {
        revision_of(cluster["name"]): int(cluster.get("weight", 0))
        for cluster in action["weighted_clusters"]["clusters"]
    }
    for policy in action.get("request_mirror_policies", ()):
        percent = int(policy["runtime_fraction"]["default_value"].get("numerator", 0))
        return Split(weights, revision_of(policy["cluster"]), percent)
    return Split(weights)


def _routes(model_name: str, timeout_s: float, split: Split, order: Sequence[str]) -> Iterator[Json]:
    plain = _action(timeout_s, split.weights, order)
    for path in _paths(model_name):
        for headers, mirror_percent in _mirror_cases(split.mirror_percent if split.mirror else 0):
            action = dict(plain)
            if split.mirror and mirror_percent:
                action["request_mirror_policies"] = [_mirror(split.mirror, mirror_percent)]
            yield {"match": {**path, **headers}, "route": action}


def _paths(model_name: str) -> Iterable[Json]:
    """The same matches as the HTTPRoute of a cluster (match: Model)."""
    v1 = f"/v1/models/{model_name}"
    for path in (v1, f"{v1}:predict", f"{v1}:explain"):
        yield {"path": path}
    yield {"path_separated_prefix": f"/v2/models/{model_name}"}


def _mirror_cases(percent: int) -> Iterable[tuple[Json, int]]:
    """Header matches, first match wins, and the share that each one copies; the last matches always."""
    if 0 < percent < 100:
        low = percent <= 50
        end = min(2**64 * (percent if low else 100 - percent) // 100, LARGEST_SIGNED)
        below = {"name": DRAW_HEADER, "range_match": {"start": "0", "end": str(end)}}
        present = {"name": DRAW_HEADER, "present_match": True}
        yield {"headers": [below]}, 100 if low else 0
        yield {"headers": [present]}, 0 if low else 100
    yield {}, percent


def _action(timeout_s: float, weights: Mapping[str, int], order: Sequence[str]) -> Json:
    return {
        "timeout": f"{timeout_s:g}s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 2,
        },
        "weighted_clusters": {
            "header_name": DRAW_HEADER,
            "clusters": [
                {"name": cluster_name(revision, Purpose.ANSWER), "weight": weights[revision]}
                for revision in order
                if weights.get(revision, 0) > 0
            ],
        },
    }


def _mirror(revision: str, percent: int) -> Json:
    return {
        "cluster": cluster_name(revision, Purpose.MIRROR),
        "runtime_fraction": {"default_value": {"numerator": percent, "denominator": "HUNDRED"}},
        "disable_shadow_host_suffix_append": True,
    }

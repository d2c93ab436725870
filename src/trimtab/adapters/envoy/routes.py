"""A split as an Envoy RouteConfiguration, and back.

The draw. Envoy takes header `x-trimtab-draw`, decimal text of a uniform uint64, modulo the weights' total
(100) and walks the clusters in order, older revisions first: with {stable: 95, candidate: 5} the candidate
gets the draws with draw mod 100 ≥ 95, and keeps them when its weight grows. Without the header, or with one
that is no uint64, Envoy draws by itself.

The mirror. At 100 % every request is copied. Below, Envoy's own draw cannot be seeded (it hashes an internal
stream id), so a request that carries the draw is routed by it: at p ≤ 50 it is copied if draw < 2⁶⁴·p/100,
above if draw ≥ 2⁶⁴·(100 − p)/100 (Envoy compares signed 64-bit integers). Without the header Envoy draws.

The audience. Requests that carry its header or cookie take routes of their own, before all others. By hash, Envoy
takes a hash of what names the caller in place of the draw, so that each stays where he was drawn to. The preview is a
virtual host of its own, which leads to one revision.

A virtual host of its own answers the configuration's version: what the one worker thread answers there is
what it routes by.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trimtab.adapters.envoy.clusters import ANY, METADATA, Purpose, cluster_name, revision_of
from trimtab.api.rollout import Audience
from trimtab.ports.gateway import Split

DRAW_HEADER = "x-trimtab-draw"
PROBE_HOST = "probe.trimtab.invalid"
PREVIEW = "preview"
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
    more: Json = {}
    if split is not None and split.preview:
        alone = list(_routes(model_name, timeout_s, Split({split.preview: 100}), order))
        hosts.append({"name": PREVIEW, "domains": [split.preview_host], "routes": alone})
        more["ignore_port_in_host_matching"] = True
    if split is not None:
        routes = list(_routes(model_name, timeout_s, split, order))
        hosts.append({"name": host, "domains": ["*"], "routes": routes})
    kind = f"{ANY}envoy.config.route.v3.RouteConfiguration"
    return {"@type": kind, "name": host, "virtual_hosts": hosts, **more}


def from_resource(host: str, resource: Mapping[str, Any]) -> Split | None:
    """The split that a RouteConfiguration does, read from its routes; None if the host has none."""
    hosts = {one["name"]: one for one in resource.get("virtual_hosts", ())}
    if host not in hosts:
        return None
    last = hosts[host]["routes"][-1]
    found = _split_of(last["route"])
    if told := last.get("metadata", {}).get("filter_metadata", {}).get(METADATA):
        audience = Audience.model_validate_json(told["audience"])
        found = replace(found, chosen=told["chosen"], audience=audience)
    if preview := hosts.get(PREVIEW):
        (alone,) = _split_of(preview["routes"][-1]["route"]).weights
        found = replace(found, preview=alone, preview_host=preview["domains"][0])
    return found


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
    audience, more = split.audience if split.chosen else None, {}
    plain = _action(timeout_s, split.weights, order)
    if audience is not None:
        told = {
            "chosen": split.chosen,
            "audience": audience.model_dump_json(by_alias=True, exclude_none=True),
        }
        more = {"metadata": {"filter_metadata": {METADATA: told}}}
        if audience.hash is not None:
            plain = _drawn_by_hash(plain, audience)
    for path in _paths(model_name):
        if split.chosen and audience is not None and audience.hash is None:
            chosen = _action(timeout_s, {split.chosen: 100}, order)
            yield {"match": {**path, "headers": [_carries(audience)]}, "route": chosen}
        for headers, mirror_percent in _mirror_cases(split.mirror_percent if split.mirror else 0):
            action = dict(plain)
            if split.mirror and mirror_percent:
                action["request_mirror_policies"] = [_mirror(split.mirror, mirror_percent)]
            yield {"match": {**path, **headers}, "route": action, **more}


def _carries(audience: Audience) -> Json:
    """The header match of those who are told apart by a header or a cookie."""
    if audience.header is not None:
        return {"name": audience.header.name, "string_match": {"exact": audience.header.value}}
    assert audience.cookie is not None
    pair = f"{re.escape(audience.cookie.name)}={re.escape(audience.cookie.value)}"
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": f"(.*;\\s*)?{pair}(\\s*;.*)?"}}}


def _drawn_by_hash(action: Json, audience: Audience) -> Json:
    """Where a request goes is drawn by what names its caller; one without it is drawn by itself."""
    assert audience.hash is not None
    by = audience.hash
    policy = {"header": {"header_name": by.header}} if by.header else {"cookie": {"name": by.cookie}}
    clusters = {"clusters": action["weighted_clusters"]["clusters"], "use_hash_policy": True}
    return {**action, "hash_policy": [policy], "weighted_clusters": clusters}


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

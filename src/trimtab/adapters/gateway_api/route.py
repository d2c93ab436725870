"""A rollout's one HTTPRoute, from its split, and back: pure.

Every field is written that the API server would fill in, so that what is stored equals what was built. The annotation
`trimtab.dev/split` says what was told and which Service is whose; `trimtab.dev/written` is a digest of the spec, so
that a foreign edit can be told from another version of this module.

An audience by header is a rule of its own, after everybody's: its further header gives it precedence wherever it
stands, and gateways name what they set up for a rule by its place. Were everybody's moved by one that comes or goes,
Envoy Gateway 1.9 would answer 503 until its routes follow its clusters (11 of 25,558 requests at 36 changes).

A preview is a second route, since a rule cannot name a host; what it should be stands with all else in the first
one's annotation.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from trimtab.adapters.children import Json, Place
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.spec import RouteSpec, duration, hostnames, matches
from trimtab.api.rollout import Audience
from trimtab.ports.cluster import Object
from trimtab.ports.gateway import Split

SPLIT: Final = "trimtab.dev/split"
WRITTEN: Final = "trimtab.dev/written"
GRPC_MATCHES: Final[list[Json]] = [
    {
        "path": {
            "type": "RegularExpression",
            "value": "^/inference\\.GRPCInferenceService/.*$",
        }
    },
    {
        "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
        "path": {"type": "PathPrefix", "value": "/"},
    },
]


@dataclass(frozen=True, slots=True)
class Leg:
    """A revision's Service as the route names it.

    Attributes:
        grpc: its h2c port; None if it has none.
    """

    service: str
    port: int = 80
    grpc: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the route was told last."""

    split: Split
    legs: Mapping[str, Leg]


def route_name(rollout: str) -> str:
    """
    >>> route_name("flights")
    'flights-trimtab'
    """
    return f"{rollout}-trimtab"


def preview_name(rollout: str) -> str:
    """
    >>> preview_name("flights")
    'flights-trimtab-preview'
    """
    return f"{route_name(rollout)}-preview"


def route_spec(place: Place, spec: RouteSpec, split: Split, legs: Mapping[str, Leg]) -> Json:
    """The HTTPRoute's spec.

    Args:
        legs: of every revision that the split names.
    """
    used = {revision: legs[revision] for revision in named(replace(split, preview=None))}
    ways = [({revision: leg.port for revision, leg in used.items()}, matches(spec))]
    # Models that share a host cannot be told apart by gRPC's path, which is the same for each.
    if spec.match == "Host" and all(leg.grpc is not None for leg in used.values()):
        ways.insert(0, ({revision: leg.grpc or 0 for revision, leg in used.items()}, GRPC_MATCHES))
    rules = [_rule(spec, split, used, ports, which) for ports, which in ways]
    if split.chosen is not None and split.audience is not None and split.audience.header is not None:
        wanted = split.audience.header
        header = {"type": "Exact", "name": wanted.name, "value": wanted.value}
        alone = Split({split.chosen: 100})
        for ports, which in ways:
            theirs = [{**match, "headers": [*match.get("headers", []), header]} for match in which]
            rules.append(_rule(spec, alone, used, ports, theirs))
    found: Json = {"parentRefs": [parent.to_json() for parent in spec.parents], "rules": rules}
    if names := hostnames(spec, place.rollout, place.namespace):
        found["hostnames"] = names
    return found


def route(
    place: Place, spec: RouteSpec, split: Split, legs: Mapping[str, Leg], held: Object | None = None
) -> Json:
    """The whole object; labels and annotations of others on the one that is held stay."""
    return _object(place, route_name(place.rollout), route_spec(place, spec, split, legs), split, legs, held)


def preview_route(
    place: Place, spec: RouteSpec, split: Split, legs: Mapping[str, Leg], held: Object | None = None
) -> Json:
    """The second route, of a split that has a preview."""
    assert split.preview is not None
    alone, second = (
        Split({split.preview: 100}),
        replace(spec, hostnames=(split.preview_host,), in_cluster=False),
    )
    leg = {split.preview: legs[split.preview]}
    return _object(
        place, preview_name(place.rollout), route_spec(place, second, alone, leg), alone, leg, held
    )


def _object(
    place: Place, name: str, built: Json, split: Split, legs: Mapping[str, Leg], held: Object | None
) -> Json:
    meta: Json = {"name": name, "namespace": place.namespace}
    if held is not None:
        meta = {**held["metadata"]}
    meta["labels"] = {**(meta.get("labels") or {}), **place.labels}
    meta["annotations"] = {
        **(meta.get("annotations") or {}),
        SPLIT: _told_text(split, legs),
        WRITTEN: digest(built),
    }
    if place.uid:
        others = [one for one in meta.get("ownerReferences") or [] if one.get("kind") != "ModelRollout"]
        meta["ownerReferences"] = [*others, *place.owners]
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.kind,
        "metadata": meta,
        "spec": built,
    }


def named(split: Split) -> list[str]:
    """The revisions that get any request, each once, in an order of their own."""
    found = [revision for revision, weight in split.weights.items() if weight > 0]
    mirror = split.mirror if split.mirror_percent else None
    return sorted({*found, *(one for one in (mirror, split.chosen, split.preview) if one)})


def told(held: Object) -> Told | None:
    """What the annotation says; None where it is missing or is not ours."""
    text = (held["metadata"].get("annotations") or {}).get(SPLIT, "")
    try:
        body = json.loads(text)
        weights = {str(name): int(share) for name, share in body["weights"].items()}
        mirror, percent = body["mirror"], int(body["percent"])
        legs = {str(name): Leg(str(s), int(p), g) for name, (s, p, g) in body["legs"].items()}
        chosen, preview = body.get("chosen"), body.get("preview")
        audience = Audience.model_validate(body["audience"]) if chosen else None
        host = str(body["host"]) if preview else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    split = Split(
        weights, mirror, percent, chosen=chosen, audience=audience, preview=preview, preview_host=host
    )
    found = Told(split, legs)
    return found if set(named(found.split)) <= set(legs) else None


def split_of(held: Object) -> Split:
    """What the route does, by its last rule and the last for everybody; a Service that nobody told us of stands under
    its own name. A preview is no matter of this route.
    """
    known = told(held)
    whose = {leg.service: revision for revision, leg in known.legs.items()} if known else {}
    rules = (held.get("spec") or {}).get("rules") or [{}]
    audience = _audience_of(rules[-1])
    everybody: Mapping[str, Any] = next((rule for rule in reversed(rules) if _audience_of(rule) is None), {})
    weights: dict[str, int] = {}
    for ref in everybody.get("backendRefs") or []:
        name = whose.get(ref["name"], ref["name"])
        weights[name] = weights.get(name, 0) + int(ref.get("weight", 1))
    if audience is not None:
        service = next((str(ref["name"]) for ref in rules[-1].get("backendRefs") or []), "")
        return Split(weights, chosen=whose.get(service, service), audience=audience)
    for one in everybody.get("filters") or []:
        if one.get("type") == "RequestMirror":
            mirror = one["requestMirror"]
            service = mirror["backendRef"]["name"]
            return Split(weights, whose.get(service, service), _percent(mirror))
    return Split(weights)


def digest(spec: Mapping[str, Any]) -> str:
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _audience_of(rule: Mapping[str, Any]) -> Audience | None:
    """Whom a rule takes by the value of a header; None where it is no such rule."""
    exact = [
        header
        for match in (rule.get("matches") or [])[:1]
        for header in match.get("headers") or []
        if header.get("type", "Exact") == "Exact"
    ]
    if not exact:
        return None
    header = {"name": exact[0]["name"], "value": exact[0]["value"]}
    try:
        return Audience.model_validate({"header": header})
    except ValueError:
        return None


def _rule(
    spec: RouteSpec,
    split: Split,
    legs: Mapping[str, Leg],
    ports: Mapping[str, int],
    which: list[Json],
) -> Json:
    found: Json = {
        "matches": which,
        "backendRefs": [
            {**_ref(legs[revision], ports[revision]), "weight": split.weights[revision]}
            for revision in sorted(split.weights)
            if split.weights[revision] > 0
        ],
        "timeouts": {"request": duration(spec.timeout_s)},
    }
    if split.mirror and split.mirror_percent:
        mirror: Json = {"backendRef": _ref(legs[split.mirror], ports[split.mirror])}
        if split.mirror_percent < 100:
            mirror["percent"] = split.mirror_percent
        found["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
    return found


def _ref(leg: Leg, port: int) -> Json:
    return {"group": "", "kind": "Service", "name": leg.service, "port": port}


def _percent(mirror: Mapping[str, Any]) -> int:
    if fraction := mirror.get("fraction"):
        return round(100 * int(fraction["numerator"]) / int(fraction.get("denominator", 100)))
    return int(mirror.get("percent", 100))


def _told_text(split: Split, legs: Mapping[str, Leg]) -> str:
    told: Json = {
        "weights": {name: split.weights[name] for name in sorted(split.weights) if split.weights[name]},
        "mirror": split.mirror if split.mirror_percent else None,
        "percent": split.mirror_percent,
        "legs": {name: [legs[name].service, legs[name].port, legs[name].grpc] for name in named(split)},
    }
    if split.chosen and split.audience is not None:
        audience = split.audience.model_dump(mode="json", by_alias=True, exclude_none=True)
        told |= {"chosen": split.chosen, "audience": audience}
    if split.preview:
        told |= {"preview": split.preview, "host": split.preview_host}
    return json.dumps(told, sort_keys=True)

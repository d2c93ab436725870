"""The Gateway API's adapter against a real API server; the gateway is played: it writes the status of a real one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api import GatewayApi, ParentRef, RouteSpec
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.api.rollout import Audience
from trimtab.ports.gateway import RouteRefused, Split

STABLE, CANDIDATE = "aaaa1111", "bbbb2222"
PARENT = ParentRef("public", "gateways", "http")
SETTLE_S = 10.0
PREVIEW_HOST = "preview.example.com"
BETA = Audience.model_validate({"header": {"name": "X-Cohort", "value": "beta"}})


@dataclass
class World:
    """A rollout's gateway on a namespace, a clock that is moved by hand, and the gateway's controller, played."""

    cluster: Any
    namespace: str
    gateway: GatewayApi
    now_s: float = 0.0
    services: dict[str, str] = field(default_factory=dict)

    def serve(self, revision: str) -> None:
        name = f"flights-{revision}-predictor"
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"ports": [{"name": "http", "port": 80}], "selector": {"app": name}},
            }
        )
        self.services[revision] = name

    def route(self) -> dict[str, Any]:
        return dict(self.cluster.get(HTTP_ROUTE, self.namespace, "flights-trimtab"))

    def edit(self, patch: dict[str, Any]) -> None:
        self.cluster.merge(HTTP_ROUTE, self.namespace, "flights-trimtab", patch)

    def say(
        self,
        accepted: str = "True",
        resolved: str = "True",
        reason: str = "Accepted",
        message: str = "",
        name: str = "flights-trimtab",
    ) -> None:
        held = dict(self.cluster.get(HTTP_ROUTE, self.namespace, name))
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": reason if status == "False" else kind,
                "message": message,
                "observedGeneration": held["metadata"]["generation"],
                "lastTransitionTime": "2026-11-01T00:00:00Z",
            }
            for kind, status in (("Accepted", accepted), ("ResolvedRefs", resolved))
        ]
        parent = {
            "parentRef": PARENT.to_json(),
            "controllerName": "example.com/played",
            "conditions": conditions,
        }
        self.cluster.write_status({**held, "status": {"parents": [parent]}})

    def in_effect(self) -> bool:
        split = self.gateway.split("")
        return split is not None and split.in_effect


def spec(**more: Any) -> RouteSpec:
    return RouteSpec((PARENT,), ("models.example.com",), "flights", **more)


@pytest.fixture
def world(cluster: Any, namespace: str, gateway_api_crds: None) -> World:
    found = World(cluster, namespace, None)  # type: ignore[arg-type]

    def backend(revision: str) -> Any:
        name = found.services.get(revision)
        return SimpleNamespace(service=name, port=80) if name else None

    found.gateway = GatewayApi(
        cluster,
        Place(namespace, "flights", "uid-of-the-rollout"),
        spec(),
        backend=backend,
        settle_s=SETTLE_S,
        clock_s=lambda: found.now_s,
    )
    return found


def stored_as_built(world: World) -> bool:
    """Whether a further look finds nothing to write."""
    before = world.route()["metadata"]["resourceVersion"]
    assert world.gateway.mend() is False
    return bool(world.route()["metadata"]["resourceVersion"] == before)


def test_without_a_route_there_is_no_split(world: World):
    assert world.gateway.split("") is None
    assert world.gateway.in_use(STABLE) is False
    assert world.gateway.facts()[0].status == "Unknown"


@pytest.mark.parametrize("match", ["Model", "Host"])
def test_the_api_server_stores_what_was_built_for_every_kind_of_split(world: World, match: Any):
    world.gateway.respec(
        Place(world.namespace, "flights", "uid-of-the-rollout"), spec(match=match, timeout_s=90)
    )
    world.serve(STABLE)
    world.serve(CANDIDATE)
    for split in (
        Split({STABLE: 100}),
        Split({STABLE: 100}, CANDIDATE, 100),
        Split({STABLE: 100}, CANDIDATE, 30),
        Split({STABLE: 95, CANDIDATE: 5}),
        Split({STABLE: 100}, chosen=CANDIDATE, audience=BETA),
        Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST),
        Split({CANDIDATE: 100}),
    ):
        world.gateway.apply("", split)
        seen = world.gateway.split("")
        assert seen is not None
        assert replace(seen, in_effect=True) == split
        assert stored_as_built(world)


@pytest.mark.parametrize("match", ["Model", "Host"])
def test_an_audience_is_a_rule_after_everybody_s_of_the_same_paths_and_the_header(world: World, match: Any):
    world.gateway.respec(Place(world.namespace, "flights", "uid-of-the-rollout"), spec(match=match))
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}, chosen=CANDIDATE, audience=BETA))
    everybody, chosen = world.route()["spec"]["rules"]
    header = {"type": "Exact", "name": "X-Cohort", "value": "beta"}
    assert [match["headers"] for match in chosen["matches"]] == [[header]] * len(everybody["matches"])
    assert [match["path"] for match in chosen["matches"]] == [match["path"] for match in everybody["matches"]]
    assert not any("headers" in match for match in everybody["matches"])
    assert [(ref["name"], ref["weight"]) for ref in chosen["backendRefs"]] == [
        (world.services[CANDIDATE], 100)
    ]
    assert [(ref["name"], ref["weight"]) for ref in everybody["backendRefs"]] == [
        (world.services[STABLE], 100)
    ]
    assert world.gateway.in_use(CANDIDATE)


@pytest.mark.parametrize(
    "way",
    [{"cookie": {"name": "cohort", "value": "b"}}, {"hash": {"header": "x-user", "percent": 10}}],
    ids=["cookie", "hash"],
)
def test_an_audience_that_no_httproute_can_say_is_refused_and_told_before(world: World, way: Any):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    before, audience = world.route(), Audience.model_validate(way)
    assert audience.way not in world.gateway.tells("").ways
    weights = {STABLE: 90, CANDIDATE: 10} if audience.hash else {STABLE: 100}
    with pytest.raises(RouteRefused, match="no more than the exact value of a header"):
        world.gateway.apply("", Split(weights, chosen=CANDIDATE, audience=audience))
    assert world.route() == before


def previewed(world: World) -> dict[str, Any] | None:
    held = world.cluster.get(HTTP_ROUTE, world.namespace, "flights-trimtab-preview")
    return dict(held) if held is not None else None


def test_a_preview_is_a_route_of_its_own_host_which_comes_and_goes(world: World):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.say()
    assert not world.in_effect()
    world.now_s += SETTLE_S
    assert world.in_effect()
    first = world.route()["spec"]
    world.gateway.apply("", Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST))
    second = previewed(world)
    assert second is not None
    assert world.route()["spec"] == first
    assert (second["spec"]["hostnames"], second["spec"]["parentRefs"]) == (
        [PREVIEW_HOST],
        first["parentRefs"],
    )
    (rule,) = second["spec"]["rules"]
    assert [(ref["name"], ref["weight"]) for ref in rule["backendRefs"]] == [(world.services[CANDIDATE], 100)]
    assert rule["matches"] == first["rules"][0]["matches"]
    assert second["metadata"]["ownerReferences"] == world.route()["metadata"]["ownerReferences"]
    assert not world.in_effect()  # nobody has looked at the second one yet
    world.say(name="flights-trimtab-preview")
    assert not world.in_effect()
    world.now_s += SETTLE_S
    assert world.in_effect()
    assert world.gateway.in_use(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    assert previewed(world) is None
    assert not world.in_effect()
    assert world.gateway.in_use(CANDIDATE)  # the gateway may not know yet
    world.now_s += SETTLE_S
    assert world.in_effect()
    assert not world.gateway.in_use(CANDIDATE)


@pytest.mark.parametrize("harm", ["edited", "deleted", "left behind"])
def test_a_preview_that_somebody_meddled_with_is_put_right(world: World, harm: str):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    split = Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST)
    world.gateway.apply("", split)
    before = previewed(world)
    assert before is not None
    if harm == "edited":
        patch = {"spec": {"hostnames": ["evil.example.com"]}}
        world.cluster.merge(HTTP_ROUTE, world.namespace, "flights-trimtab-preview", patch)
        assert world.gateway.mend() is True
        assert world.gateway.facts()[1].status == "True"
    elif harm == "deleted":
        world.cluster.delete(HTTP_ROUTE, world.namespace, "flights-trimtab-preview")
        assert world.gateway.split("") == replace(Split({STABLE: 100}), in_effect=False)
        world.gateway.mend()
    else:
        world.gateway.apply("", Split({STABLE: 100}))
        world.cluster.create(
            {key: before[key] for key in ("apiVersion", "kind", "spec")}
            | {
                "metadata": {
                    key: before["metadata"][key] for key in ("name", "namespace", "labels", "annotations")
                }
            }
        )
        world.gateway.mend()
        assert previewed(world) is None
        return
    after = previewed(world)
    assert after is not None
    assert after["spec"] == before["spec"]
    assert stored_as_built(world)


def test_a_second_host_that_the_gateway_refuses_is_told_and_the_first_is_looked_after(world: World):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}, preview=CANDIDATE, preview_host=PREVIEW_HOST))
    world.say()
    words = {"accepted": "False", "reason": "NoMatchingListenerHostname", "message": "no listener takes it"}
    world.say(name="flights-trimtab-preview", **words)
    world.now_s += SETTLE_S
    assert not world.in_effect()
    told = {fact.type: (fact.status, fact.reason) for fact in world.gateway.facts()}
    assert told["RouteAccepted"] == ("True", "Accepted")
    assert told["PreviewAccepted"] == ("False", "NoMatchingListenerHostname")
    world.edit({"spec": {"hostnames": ["evil.example.com"]}})
    assert world.gateway.mend() is True
    world.gateway.apply("", Split({STABLE: 100}))
    told = {fact.type: (fact.status, fact.reason) for fact in world.gateway.facts()}
    assert told["PreviewAccepted"] == ("Unknown", "NoPreview")


def test_a_route_of_somebody_else_by_the_name_of_a_preview_is_left_alone(world: World):
    world.serve(STABLE)
    theirs = {"rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}]}
    meta = {"name": "flights-trimtab-preview", "namespace": world.namespace}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    world.cluster.create({**kind, "metadata": meta, "spec": theirs})
    world.gateway.apply("", Split({STABLE: 100}))
    world.gateway.mend()
    assert previewed(world) is not None


def test_the_same_split_again_writes_nothing(world: World):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    before = world.route()["metadata"]["resourceVersion"]
    world.gateway.apply("", Split({STABLE: 100}))
    assert world.route()["metadata"]["resourceVersion"] == before


def test_a_split_is_in_effect_once_accepted_at_its_generation_and_settled(world: World):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}, CANDIDATE, 10))
    assert not world.in_effect()
    world.say()
    assert not world.in_effect()
    world.now_s += SETTLE_S
    assert world.in_effect()
    world.gateway.apply("", Split({STABLE: 100}))
    assert not world.in_effect()  # the gateway's word is about the generation before
    assert world.gateway.in_use(CANDIDATE)
    world.say()
    assert world.gateway.in_use(CANDIDATE)
    world.now_s += SETTLE_S
    assert not world.gateway.in_use(CANDIDATE)
    assert world.gateway.in_use(STABLE)


def test_a_revision_without_a_service_is_never_named(world: World):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    with pytest.raises(RouteRefused, match="has no Service"):
        world.gateway.apply("", Split({STABLE: 100}, CANDIDATE, 10))
    world.services[CANDIDATE] = "said-but-not-there"
    with pytest.raises(RouteRefused, match="is not there"):
        world.gateway.apply("", Split({STABLE: 100}, CANDIDATE, 10))
    seen = world.gateway.split("")
    assert seen is not None
    assert seen.weights == {STABLE: 100}


@pytest.mark.parametrize(
    "split",
    [
        Split({STABLE: 90}),
        Split({STABLE: 110, CANDIDATE: -10}),
        Split({STABLE: 100}, CANDIDATE, 101),
        Split({STABLE: 100}, None, 5),
    ],
)
def test_a_split_that_cannot_be_is_refused_and_the_route_stays(world: World, split: Split):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    before = world.route()
    with pytest.raises(RouteRefused):
        world.gateway.apply("", split)
    assert world.route() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: {"hostnames": ["evil.example.com"]},
        lambda s: {"rules": [{**s["rules"][0], "backendRefs": [{"name": "theirs", "port": 80}]}]},
        lambda s: {"rules": [*s["rules"], {"backendRefs": [{"name": "theirs", "port": 80}]}]},
        lambda s: {"rules": [{**s["rules"][0], "timeouts": {"request": "1s"}}]},
        lambda s: {"parentRefs": [{"name": "elsewhere"}]},
    ],
    ids=["host", "backend", "rule", "timeout", "parent"],
)
def test_a_foreign_edit_is_put_back_and_reported_with_who_did_it(world: World, edit: Callable[[Any], Any]):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    before = world.route()["spec"]
    world.edit({"spec": edit(before)})
    assert world.route()["spec"] != before
    assert world.gateway.mend() is True
    assert world.route()["spec"] == before
    fact = world.gateway.facts()[1]
    assert (fact.type, fact.status) == ("RouteEdited", "True")
    assert "was edited by '" in fact.message
    assert world.gateway.mend() is False


def test_labels_and_annotations_of_others_stay_through_edits_and_splits(world: World):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.edit({"metadata": {"labels": {"team": "ops"}, "annotations": {"trimtab.dev/epoch": "3"}}})
    assert world.gateway.mend() is False
    world.gateway.apply("", Split({CANDIDATE: 100}))
    meta = world.route()["metadata"]
    assert (meta["labels"]["team"], meta["annotations"]["trimtab.dev/epoch"]) == ("ops", "3")


def test_a_new_spec_is_written_and_is_no_edit(world: World):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.gateway.respec(Place(world.namespace, "flights", "uid-of-the-rollout"), spec(timeout_s=5))
    assert world.gateway.mend() is False
    assert world.route()["spec"]["rules"][0]["timeouts"] == {"request": "5s"}
    assert world.gateway.facts()[1].status == "False"


def test_a_route_that_was_deleted_is_no_split_and_is_made_again(world: World):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.cluster.delete(HTTP_ROUTE, world.namespace, "flights-trimtab")
    assert world.gateway.split("") is None
    assert world.gateway.mend() is False
    world.gateway.apply("", Split({STABLE: 100}))
    assert world.gateway.split("") is not None


def test_what_the_gateway_refuses_is_refused_with_its_words(world: World):
    world.serve(STABLE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.say(accepted="False", reason="NotAllowedByListeners", message="no listener takes it")
    with pytest.raises(RouteRefused, match="NotAllowedByListeners: no listener takes it"):
        world.gateway.apply("", Split({STABLE: 100}))
    fact = world.gateway.facts()[0]
    assert (fact.status, fact.reason, fact.message) == (
        "False",
        "NotAllowedByListeners",
        "no listener takes it",
    )


def test_a_write_decided_on_an_older_route_is_refused(world: World):
    from trimtab.ports.state import Conflict

    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    old = world.route()
    world.edit({"metadata": {"annotations": {"trimtab.dev/epoch": "4"}}})
    stale = SimpleNamespace(get=lambda *_: old, read=world.cluster.read, replace=world.cluster.replace)
    late = GatewayApi(
        stale,  # type: ignore[arg-type]
        Place(world.namespace, "flights", "uid-of-the-rollout"),
        spec(),
        backend=lambda revision: SimpleNamespace(service=world.services[revision], port=80),
    )
    with pytest.raises(Conflict):
        late.apply("", Split({CANDIDATE: 100}))
    assert world.gateway.split("") is not None


def test_an_older_route_of_the_same_host_and_match_is_named(world: World):
    world.serve(STABLE)
    world.cluster.create(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "a-first", "namespace": world.namespace},
            "spec": {
                "parentRefs": [PARENT.to_json()],
                "hostnames": ["models.example.com"],
                "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/v2/models/flights"}}]}],
            },
        }
    )
    world.gateway.apply("", Split({STABLE: 100}))
    world.say()
    fact = world.gateway.facts()[0]
    assert (fact.status, fact.reason) == ("False", "Conflicted")
    assert f"{world.namespace}/a-first" in fact.message


def test_a_rejection_outlives_splits_and_edits_and_is_lifted_by_name(world: World):
    world.serve(STABLE)
    world.serve(CANDIDATE)
    world.gateway.apply("", Split({STABLE: 100}))
    world.gateway.reject(CANDIDATE, "worse by 0.03")
    world.gateway.apply("", Split({STABLE: 100}, CANDIDATE, 10))
    assert world.gateway.rejected() == {CANDIDATE: "worse by 0.03"}
    world.gateway.lift(CANDIDATE)
    assert world.gateway.rejected() == {}

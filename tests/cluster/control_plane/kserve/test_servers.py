"""Revisions' servers with KServe's own manager and Kubernetes' controllers; pods and their answers are played."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.children import Place
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE, SERVICE
from trimtab.adapters.kserve import KserveServers, Serving
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE, POD, SERVING_RUNTIME
from trimtab.adapters.retained import release
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.cluster import Kind, Refused
from trimtab.ports.servers import Revision, Server, ServerState, Warmed
from trimtab.ports.state import Conflict

pytestmark = pytest.mark.xdist_group("kserve")
FIRST = Revision("aaaa1111", "1", "s3://models/flights/1", "11" * 32)
SECOND = Revision("bbbb2222", "2", "s3://models/flights/2", "22" * 32)
SKLEARN: dict[str, Any] = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "sklearn"}}}
MODEL_ROLLOUT = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
RUNTIME: dict[str, Any] = {
    "apiVersion": SERVING_RUNTIME.api_version,
    "kind": SERVING_RUNTIME.kind,
    "metadata": {"name": "sklearn"},
    "spec": {
        "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True}],
        "protocolVersions": ["v1", "v2"],
        "containers": [
            {
                "name": "kserve-container",
                "image": "kserve/sklearnserver:v0.20.0",
                "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
            }
        ],
    },
}


@dataclass
class World:
    """Servers of rollout `flights`; `answers` are statuses by host, 200 where there is none."""

    cluster: Any
    namespace: str
    servers: KserveServers
    answers: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    in_use: set[str] = field(default_factory=set)

    def http(
        self, host: str, port: int, method: str, path: str, body: bytes | None, within_s: float
    ) -> tuple[int, bytes]:
        self.asked.append((host, method, path))
        status = self.answers.get(host, 200)
        return status, b"" if status == 200 else b'{"error": "no online store"}'

    @property
    def place(self) -> Place:
        return Place(self.namespace, "flights")

    def server(self, revision: Revision) -> Server | None:
        return self.servers.observed().get(revision.id)

    def until(self, revision: Revision, state: ServerState, within_s: float = 60) -> Server:
        from tests.cluster.kube.poll import eventually

        def there() -> Server | None:
            found = self.server(revision)
            return found if found and found.state is state else None

        return eventually(f"{revision.id} is {state.value}", there, within_s)

    def scale(self, revision: Revision, least: int) -> None:
        """As a reconcile does: decided anew where KServe's manager wrote in between."""
        from tests.cluster.kube.poll import eventually

        def written() -> bool:
            try:
                self.servers.scale(revision.id, least)
            except Conflict:
                return False
            return True

        eventually("it is written", written)

    def objects(self, kind: Any, revision: Revision) -> list[dict[str, Any]]:
        return [
            dict(o) for o in self.cluster.list(kind, self.namespace, {"trimtab.dev/revision": revision.id})
        ]


@pytest.fixture
def world(kserve_cluster: Any, kserve_namespace: str) -> World:
    runtime = {**RUNTIME, "metadata": {"name": "sklearn", "namespace": kserve_namespace}}
    kserve_cluster.create(runtime)
    return serving(kserve_cluster, kserve_namespace, SKLEARN)


def serving(
    cluster: Any, namespace: str, template: dict[str, Any], rollout: str = "flights", account: str = ""
) -> World:
    found = World(cluster, namespace, None)  # type: ignore[arg-type]
    found.servers = KserveServers(
        cluster,
        Place(namespace, rollout, account=account),
        Serving("flights", template),
        samples=lambda uri: [{"distance": 3.5}],
        in_use=lambda revision: revision in found.in_use,
        http=found.http,
    )
    return found


def test_a_revision_becomes_ready_behind_a_service_without_a_route_of_kserve_s(world: World):
    assert world.server(FIRST) is None
    world.servers.ensure("flights", FIRST)
    assert world.server(FIRST) is not None
    seen = world.until(FIRST, ServerState.READY)
    assert (seen.replicas, seen.least, seen.restarts, seen.serves) == (1, 0, 0, FIRST)
    address = world.servers.address(FIRST.id)
    assert address is not None
    assert address.service == "flights-aaaa1111-predictor"
    assert world.cluster.read(SERVICE, world.namespace, address.service) is not None
    assert world.cluster.list(HTTP_ROUTE, world.namespace) == []
    host = f"flights-aaaa1111-predictor.{world.namespace}.svc"
    assert (host, "GET", "/v2/models/flights/ready") in world.asked


def test_its_pods_are_told_the_served_name_last_and_go_on_answering_before_they_end(world: World):
    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)
    [deployment] = world.objects(DEPLOYMENT, FIRST)
    pod = deployment["spec"]["template"]["spec"]
    main = next(one for one in pod["containers"] if one["name"] == "kserve-container")
    assert main["args"][0] == "--model_name=flights-aaaa1111"
    assert main["args"][-1] == "--model_name=flights"
    assert main["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert pod["terminationGracePeriodSeconds"] == 45


def test_what_answers_for_another_name_is_not_ready(world: World):
    world.answers[f"flights-aaaa1111-predictor.{world.namespace}.svc"] = 404
    world.servers.ensure("flights", FIRST)
    from tests.cluster.kube.poll import eventually

    eventually("it was asked", lambda: world.servers.observed() and world.asked)
    seen = world.server(FIRST)
    assert seen is not None
    assert (seen.state, seen.message) == (ServerState.STARTING, "404 to /v2/models/flights/ready")


def test_asking_for_it_again_changes_nothing(world: World):
    world.servers.ensure("flights", FIRST)
    before = world.objects(INFERENCE_SERVICE, FIRST)[0]["metadata"]
    world.servers.ensure("flights", FIRST)
    after = world.objects(INFERENCE_SERVICE, FIRST)[0]["metadata"]
    assert (before["uid"], before["generation"]) == (after["uid"], after["generation"])


def test_more_replicas_come_without_ending_those_that_serve_and_go_again(world: World):
    from tests.cluster.kube.poll import eventually

    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)
    before = {pod["metadata"]["uid"] for pod in world.objects(POD, FIRST)}
    world.scale(FIRST, 3)
    assert world.until(FIRST, ServerState.READY).least == 3
    eventually(
        "three answer",
        lambda: (world.server(FIRST) or None) and world.until(FIRST, ServerState.READY).replicas == 3,
    )
    assert before <= {pod["metadata"]["uid"] for pod in world.objects(POD, FIRST)}
    world.scale(FIRST, 0)
    assert world.until(FIRST, ServerState.READY).least == 0
    [held] = world.objects(INFERENCE_SERVICE, FIRST)
    assert held["spec"]["predictor"]["minReplicas"] == 1


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_kserve_replaces_all_pods_for_a_label_or_an_annotation_which_is_why_none_is_written(
    world: World, part: str
):
    from tests.cluster.kube.poll import eventually

    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)
    [before] = world.objects(DEPLOYMENT, FIRST)
    [held] = world.objects(INFERENCE_SERVICE, FIRST)
    patch = {"metadata": {part: {"example.com/late": "x"}}}
    world.cluster.merge(INFERENCE_SERVICE, world.namespace, held["metadata"]["name"], patch)

    def replaced() -> bool:
        [now] = world.objects(DEPLOYMENT, FIRST)
        return bool(now["spec"]["template"]["metadata"] != before["spec"]["template"]["metadata"])

    eventually("the pods' template changed", replaced)


@pytest.mark.parametrize(
    ("trouble", "word"), [("crash", "CrashLoopBackOff"), ("no-image", "ImagePullBackOff")]
)
def test_what_hinders_its_pods_is_said(world: World, trouble: str, word: str):
    from tests.cluster.kube.poll import eventually

    bad = {**SKLEARN, "metadata": {"annotations": {"tests.trimtab.dev/pod": trouble}}}
    world.servers.respec(world.place, Serving("flights", bad))
    world.servers.ensure("flights", FIRST)
    eventually("it is said", lambda: (seen := world.server(FIRST)) is not None and word in seen.message)
    seen = world.server(FIRST)
    assert seen is not None
    assert seen.state is ServerState.STARTING
    assert (seen.restarts >= 5) == (trouble == "crash")


def test_with_a_transformer_that_is_where_requests_go_and_both_are_scaled(
    kserve_cluster: Any, kserve_namespace: str
):
    kserve_cluster.create({**RUNTIME, "metadata": {"name": "sklearn", "namespace": kserve_namespace}})
    template = {
        **SKLEARN,
        "transformer": {"containers": [{"image": "transformer:1", "name": "kserve-container"}]},
    }
    world = serving(kserve_cluster, kserve_namespace, template)
    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)
    address = world.servers.address(FIRST.id)
    assert address is not None
    assert address.service == "flights-aaaa1111-transformer"
    world.scale(FIRST, 2)
    world.until(FIRST, ServerState.READY)
    [held] = world.objects(INFERENCE_SERVICE, FIRST)
    assert {held["spec"][name]["minReplicas"] for name in ("predictor", "transformer")} == {2}


def test_a_rollout_s_name_at_every_limit_serves_all_the_same(kserve_cluster: Any, kserve_namespace: str):
    kserve_cluster.create({**RUNTIME, "metadata": {"name": "sklearn", "namespace": kserve_namespace}})
    world = serving(kserve_cluster, kserve_namespace, SKLEARN, "0.a-very-long-name." + "x" * 60)
    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)


def test_one_in_use_is_kept_and_one_that_is_not_is_deleted(world: World):
    from tests.cluster.kube.poll import eventually

    world.servers.ensure("flights", FIRST)
    world.in_use.add(FIRST.id)
    with pytest.raises(SurroundingsFailed, match="may still send"):
        world.servers.retire(FIRST.id)
    world.in_use.clear()
    world.servers.retire(FIRST.id)
    eventually("it is gone", lambda: world.server(FIRST) is None)
    world.servers.retire(FIRST.id)
    eventually("its pods are gone", lambda: not world.objects(DEPLOYMENT, FIRST))


def test_warm_up_goes_past_the_gateway_and_counts_what_was_answered(world: World):
    assert world.servers.warm(FIRST.id, 5) == Warmed(0, "no address yet")
    world.servers.ensure("flights", FIRST)
    world.until(FIRST, ServerState.READY)
    assert world.servers.warm(FIRST.id, 5) == Warmed(5)
    host = f"flights-aaaa1111-predictor.{world.namespace}.svc"
    assert world.asked[-5:] == [(host, "POST", "/v1/models/flights:predict")] * 5
    world.answers[host] = 500
    assert world.servers.warm(FIRST.id, 5) == Warmed(0, "500: no online store")


def test_a_template_is_judged_by_the_api_server_and_kserve_s_webhooks_before_anything_is_made(world: World):
    assert world.servers.template_fact(FIRST).status == "True"
    bad = {"predictor": {**SKLEARN["predictor"], "minReplicas": 3, "maxReplicas": 1}}
    world.servers.respec(world.place, Serving("flights", bad))
    fact = world.servers.template_fact(FIRST)
    assert (fact.type, fact.status) == ("TemplateValid", "False")
    assert "eplicas" in fact.message
    worse = {"predictor": {"model": {"modelFormat": "sklearn", "runtime": "sklearn"}}}
    world.servers.respec(world.place, Serving("flights", worse))
    assert world.servers.template_fact(FIRST).status == "False"
    assert world.cluster.list(INFERENCE_SERVICE, world.namespace) == []


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"modelFormat": {"name": "sklearn"}, "runtime": "nowhere"}, "RuntimeNotFound"),
        ({"modelFormat": {"name": "nothing"}}, "RuntimeNotFound"),
    ],
)
def test_a_runtime_that_is_not_there_is_named(world: World, model: dict[str, Any], reason: str):
    world.servers.respec(world.place, Serving("flights", {"predictor": {"model": model}}))
    assert world.servers.template_fact(FIRST).reason == reason
    with pytest.raises(InputRefused, match=r"serving\.template"):
        world.servers.ensure("flights", FIRST)


def test_an_account_without_the_right_makes_nothing(kserve_cluster: Any, kserve_namespace: str):
    kserve_cluster.create({**RUNTIME, "metadata": {"name": "sklearn", "namespace": kserve_namespace}})
    world = serving(kserve_cluster, kserve_namespace, SKLEARN, account="default")
    with pytest.raises(Refused) as refused:
        world.servers.ensure("flights", FIRST)
    assert refused.value.reason == "Forbidden"
    assert world.servers.template_fact(FIRST).reason == "Forbidden"


def test_one_of_this_name_that_is_another_s_is_left_alone(world: World):
    foreign = {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {"name": "flights-aaaa1111", "namespace": world.namespace},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "theirs:1"}]}},
    }
    world.cluster.create(foreign)
    with pytest.raises(Refused, match="not this rollout's"):
        world.servers.ensure("flights", FIRST)


def model_rollout(namespace: str) -> dict[str, Any]:
    """The sample, in a namespace."""
    import yaml

    samples = Path(__file__).resolve().parents[4] / "manifests" / "samples"
    found: dict[str, Any] = yaml.safe_load((samples / "modelrollout.yaml").read_text())
    return {**found, "metadata": {"name": "flights", "namespace": namespace}}


def test_what_is_retained_loses_its_owner_and_goes_on_and_the_rest_goes(world: World):
    from tests.cluster.kube.poll import eventually

    owner = world.cluster.create(model_rollout(world.namespace))
    owned = replace(world.place, uid=owner["metadata"]["uid"])
    world.servers.respec(owned, Serving("flights", SKLEARN))
    world.servers.ensure("flights", FIRST)
    world.servers.ensure("flights", SECOND)
    world.until(FIRST, ServerState.READY)
    pods = {pod["metadata"]["uid"] for pod in world.objects(POD, FIRST)}

    def released() -> bool:
        try:  # KServe's manager writes it too: the operator would look again
            return release(world.cluster, owned, frozenset({FIRST.id})) == 1
        except Conflict:
            return False

    eventually("it is released", released)
    assert release(world.cluster, owned, frozenset({FIRST.id})) == 0
    world.cluster.delete(MODEL_ROLLOUT, world.namespace, "flights")
    eventually("the candidate was collected", lambda: not world.objects(INFERENCE_SERVICE, SECOND))
    assert {pod["metadata"]["uid"] for pod in world.objects(POD, FIRST)} == pods
    assert world.until(FIRST, ServerState.READY).replicas == 1

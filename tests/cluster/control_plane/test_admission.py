"""Who may order what, as real users with real rights: the API server decides, and says what to do about a no."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.crd_objects import FULL_POLICY, POLICY, ROLLOUT, changed
from trimtab.api.resources import ACT, Act, Verb
from trimtab.ports.cluster import Kind, Refused

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

ROOT = Path(__file__).resolve().parents[3]
ROLLOUTS = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
TRIMTAB = {"apiGroups": ["trimtab.dev"], "resources": ["*"], "verbs": ["*"]}
SERVERS = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"], "verbs": ["create"]}
ROUTES = {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["create"]}
JOBS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}
OPERATOR = "system:serviceaccount:trimtab-system:trimtab-operator"


def acting_as(*accounts: str) -> dict[str, Any]:
    return {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "verbs": ["impersonate"],
        "resourceNames": [*accounts],
    }


@pytest.fixture(scope="module")
def policed(trimtab_crds: None, cluster: "Direct") -> Iterator[None]:
    """The policies, in force: the API server takes up to some seconds to obey a new one."""
    import yaml

    from tests.cluster.kube.namespaces import fresh
    from tests.cluster.kube.poll import eventually

    policies = sorted(
        yaml.safe_load_all((ROOT / "manifests/base/admission.yaml").read_text()),
        key=lambda one: (one["kind"].endswith("Binding"), one["metadata"]["name"] == "trimtab-acts"),
    )  # the API server hears of them in this order: if the last is in force, all are
    for one in policies:
        cluster.apply(one)
    with fresh(cluster) as name:
        forged = wished(name, {"metadata.annotations": {ACT: "{}"}})

        def obeyed() -> bool:
            try:
                cluster.call(
                    "POST", f"/apis/trimtab.dev/v1alpha1/namespaces/{name}/modelrollouts?dryRun=All", forged
                )
            except Refused as refused:
                return "not well formed" in str(refused)
            return False

        eventually("the policies are in force", obeyed)
        yield
        for one in reversed(policies):
            kind = cluster.kind_of(one)
            cluster.delete(kind, "", one["metadata"]["name"])
        eventually("the policies are out of force", lambda: not obeyed())


@pytest.fixture
def user(policed: None, control_plane: "ControlPlane", cluster: "Direct", namespace: str):
    """Make a user of this namespace who may do these things there."""
    from tests.cluster.kube.direct import Direct
    from tests.cluster.kube.rbac import GROUP, grant

    made = []

    def make(name: str, *rules: dict[str, Any]) -> Direct:
        subject = {"apiGroup": GROUP, "kind": "User", "name": name}
        grant(cluster, namespace, f"{name}-role", subject, rules)
        made.append(Direct(control_plane.login(name)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wished(
    namespace: str, edits: dict[str, Any] | None = None, base: dict[str, Any] = ROLLOUT
) -> dict[str, Any]:
    return changed(base, {"metadata.namespace": namespace, **(edits or {})})


def refusal(cluster: "Direct", obj: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        cluster.create(obj)
    return str(refused.value)


def test_who_may_create_servers_and_routes_and_act_as_the_account_may_create_a_rollout(user, namespace):
    ann = user("ann", TRIMTAB, SERVERS, ROUTES, acting_as("trimtab-rollout"))
    assert ann.create(wished(namespace))


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ((ROUTES, acting_as("trimtab-rollout")), "create on inferenceservices.serving.kserve.io"),
        ((SERVERS, acting_as("trimtab-rollout")), "create on httproutes.gateway.networking.k8s.io"),
        ((SERVERS, ROUTES), "verb impersonate on serviceaccounts"),
        ((SERVERS, ROUTES, acting_as("another")), "verb impersonate on serviceaccounts"),
    ],
)
def test_a_right_that_is_missing_is_named_with_its_remedy(user, namespace, rules, named):
    message = refusal(user("bob", TRIMTAB, *rules), wished(namespace))
    assert all(word in message for word in (named, "bob", namespace))


def test_nobody_hands_a_rollout_to_a_stronger_account_than_they_may_use(user, namespace, cluster):
    cluster.create(wished(namespace))
    weak = user("carl", TRIMTAB, SERVERS, ROUTES, acting_as("trimtab-rollout"))
    with pytest.raises(Refused, match="service account admin"):
        weak.merge(ROLLOUTS, namespace, "flights", {"spec": {"serviceAccountName": "admin"}})


def test_labels_and_status_need_no_right_to_servers(user, namespace, cluster):
    cluster.create(wished(namespace))
    dora = user("dora", TRIMTAB)
    assert dora.merge(ROLLOUTS, namespace, "flights", {"metadata": {"labels": {"team": "ops"}}})
    assert dora.merge(ROLLOUTS, namespace, "flights", {"status": {"phase": "Idle"}}, status=True)
    with pytest.raises(Refused, match="may not create"):
        dora.merge(ROLLOUTS, namespace, "flights", {"spec": {"suspend": True}})


def test_a_policy_with_a_job_needs_the_right_to_jobs_and_to_its_account(user, namespace):
    eve = user("eve", TRIMTAB, acting_as("runs", "trimtab-pipelines"))
    assert "create on jobs.batch" in refusal(eve, wished(namespace, base=FULL_POLICY))
    assert eve.create(wished(namespace, base=POLICY))
    fay = user("fay", TRIMTAB, JOBS)
    assert "verb impersonate" in refusal(fay, wished(namespace, {"metadata.name": "other"}, FULL_POLICY))
    gil = user("gil", TRIMTAB, JOBS, acting_as("runs"))
    assert gil.create(wished(namespace, base=FULL_POLICY))


def order(by: str, verb: Verb = Verb.ABORT, step: str | None = None) -> str:
    return Act(id="1", verb=verb, revision="0a1b2c3d", step=step, by=by).text()


def annotated(text: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {ACT: text}}}


@pytest.mark.parametrize("verb", list(Verb))
def test_a_person_orders_in_their_own_name(user, namespace, cluster, verb):
    cluster.create(wished(namespace))
    text = order("hal", verb, "sign-off" if verb is Verb.APPROVE else None)
    stored = user("hal", TRIMTAB).merge(ROLLOUTS, namespace, "flights", annotated(text))
    assert Act.parse(stored["metadata"]["annotations"][ACT]).by == "hal"


def test_nobody_orders_in_another_name_nor_does_the_operator(user, namespace, cluster):
    cluster.create(wished(namespace))
    with pytest.raises(Refused, match='write "by": "ida"'):
        user("ida", TRIMTAB).merge(ROLLOUTS, namespace, "flights", annotated(order("hal")))
    path = f"/apis/trimtab.dev/v1alpha1/namespaces/{namespace}/modelrollouts/flights"
    user(OPERATOR, TRIMTAB)  # its rights; it is impersonated here
    with pytest.raises(Refused, match="own name"):
        cluster.call("PATCH", path, annotated(order("hal")), account=OPERATOR,
                     content_type="application/merge-patch+json")  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "abort",
        "null",
        '{"id":"1","verb":"explode","revision":"0a1b2c3d","by":"jon"}',
        '{"id":"1","verb":"abort","revision":"latest","by":"jon"}',
        '{"id":"1","verb":"abort","revision":"0a1b2c3d","by":"hal","by":"jon"}',
        '{"id":"1","verb":"approve","revision":"0a1b2c3d","by":"jon"}',
        '{"id":"1","verb":"abort","revision":"0a1b2c3d","step":"first","by":"jon"}',
        '{"id":"1","verb":"abort","revision":"0a1b2c3d","by":"h\\u0061l","by":"jon"}',
        '{"id":"é","verb":"abort","revision":"0a1b2c3d","by":"jon"}',
        '{"id":"' + "1" * 64 + '","verb":"abort","revision":"0a1b2c3d","by":"jon"}',
    ],
)
def test_an_order_that_is_not_well_formed_is_refused_with_its_form(user, namespace, cluster, text):
    cluster.create(wished(namespace))
    with pytest.raises(Refused, match="let kubectl trimtab write it"):
        user("jon", TRIMTAB).merge(ROLLOUTS, namespace, "flights", annotated(text))


def test_an_old_order_stands_while_others_change_the_rest(user, namespace, cluster):
    cluster.create(wished(namespace))
    user("kim", TRIMTAB).merge(ROLLOUTS, namespace, "flights", annotated(order("kim")))
    lea = user("lea", TRIMTAB)
    assert lea.merge(ROLLOUTS, namespace, "flights", {"metadata": {"labels": {"a": "b"}}})

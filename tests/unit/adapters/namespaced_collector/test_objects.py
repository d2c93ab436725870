"""A namespace's collector, as objects."""

from dataclasses import replace

from trimtab.adapters.namespaced_collector import CollectorSettings, Fence, address, collector_objects
from trimtab.bootstrap.collector import arguments

SETTINGS = CollectorSettings(image="trimtab-operator:1")


def container(settings: CollectorSettings = SETTINGS):
    return collector_objects("shop", settings)[0]["spec"]["template"]["spec"]["containers"][0]


def test_its_arguments_are_those_that_the_collector_takes():
    asked = arguments(container()["args"])
    assert (asked.host, asked.http_port, asked.keep_days) == ("0.0.0.0", 8080, 400)


def test_the_service_leads_to_the_pods_and_has_the_name_that_loggers_are_told():
    wished, service, _ = collector_objects("shop", SETTINGS)
    labels = wished["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert address("shop") == f"http://{service['metadata']['name']}.shop.svc"
    assert service["spec"]["ports"][0] == {"name": "http", "port": 80, "targetPort": "http"}


def test_the_log_is_on_a_claim_or_in_the_pod_and_always_where_the_collector_writes():
    claimed, kept = (
        collector_objects("shop", replace(SETTINGS, storage=size))[0]["spec"] for size in ("5Gi", "")
    )
    assert claimed["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert "volumes" not in claimed["template"]["spec"]
    assert kept["template"]["spec"]["volumes"] == [{"name": "log", "emptyDir": {}}]
    assert "volumeClaimTemplates" not in kept
    mount = container()["volumeMounts"][0]
    assert arguments(container()["args"]).dir.is_relative_to(mount["mountPath"])


def test_another_wish_has_another_digest_and_the_same_wish_the_same():
    def digest(settings: CollectorSettings) -> str:
        return collector_objects("shop", settings)[0]["metadata"]["annotations"]["trimtab.dev/config"]

    assert digest(SETTINGS) == digest(CollectorSettings(image="trimtab-operator:1"))
    assert digest(SETTINGS) != digest(replace(SETTINGS, image="trimtab-operator:2"))


def test_it_runs_as_a_restricted_pod_may():
    pod = collector_objects("shop", SETTINGS)[0]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_private_registry_and_chosen_nodes_reach_the_pod():
    settings = replace(
        SETTINGS, image_pull_policy="Always", image_pull_secrets=("registry",), node_selector={"disk": "ssd"}
    )
    pod = collector_objects("shop", settings)[0]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert container(settings)["imagePullPolicy"] == "Always"


def test_a_fence_lets_in_predictors_beside_it_the_operator_and_who_is_named_and_nothing_out():
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    fenced = replace(SETTINGS, fence=Fence("trimtab-system", (prometheus,)))
    wished, service, policy = collector_objects("shop", fenced)
    assert policy is not None
    spec = policy["spec"]
    assert (
        spec["podSelector"]["matchLabels"].items() <= wished["spec"]["template"]["metadata"]["labels"].items()
    )
    predictors, operator, named = spec["ingress"][0]["from"]
    assert "namespaceSelector" not in predictors, "of this namespace alone"
    assert operator["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "trimtab-system"}
    assert named == prometheus
    assert spec["ingress"][0]["ports"] == [{"port": service["spec"]["ports"][0]["targetPort"]}]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in spec
    assert collector_objects("shop", SETTINGS)[2] is None

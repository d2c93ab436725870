"""The tool itself: a control plane that starts, is what the port says, breaks to order, and leaves nothing."""

import pytest

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Kind, Refused
from trimtab.ports.state import Conflict

CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")


def config_map(namespace, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": namespace},
        "data": data,
    }


def test_what_was_written_is_read(cluster, namespace):
    assert cluster.create(config_map(namespace, a="1"))["data"] == {"a": "1"}
    assert cluster.create(config_map(namespace, a="2")) is None
    assert cluster.read(CONFIG_MAP, namespace, "held")["data"] == {"a": "1"}
    assert [held["metadata"]["name"] for held in cluster.list(CONFIG_MAP, namespace)] == ["held"]


def test_a_write_that_rests_on_an_old_read_conflicts(cluster, namespace):
    old = cluster.create(config_map(namespace, a="1"))
    cluster.apply(config_map(namespace, a="2"))
    with pytest.raises(Conflict):
        cluster.replace(old)


def test_a_service_account_may_do_only_what_it_was_given(cluster, namespace):
    with pytest.raises(Refused) as refused:
        cluster.apply(config_map(namespace, a="1"), account="default")
    assert refused.value.reason == "Forbidden"
    assert f"system:serviceaccount:{namespace}:default" in str(refused.value)


def test_a_kind_that_is_not_installed_is_said_to_be_so(cluster, namespace):
    unknown = Kind("nobody.example", "v1", "Nothing", "nothings")
    assert not cluster.installed(unknown)
    with pytest.raises(SurroundingsFailed, match="not installed"):
        cluster.read(unknown, namespace, "any")


def test_crds_of_others_are_served(cluster, gateway_api_crds, kserve_crds):
    for kind in (
        Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
        Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"),
    ):
        assert cluster.installed(kind)


def test_every_call_is_in_the_audit_log(control_plane, cluster, namespace):
    cluster.create(config_map(namespace))
    calls = [
        (call["user"]["username"], call["verb"], call["responseStatus"]["code"])
        for call in control_plane.calls()
        if call.get("objectRef", {}).get("resource") == "configmaps"
        and call["objectRef"].get("namespace") == namespace
    ]
    assert ("admin", "create", 201) in calls

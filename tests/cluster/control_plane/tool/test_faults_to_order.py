"""What a test may do to a control plane of its own."""

import pytest

from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.cluster import Kind

CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")


def test_data_and_address_outlive_restarts(own_control_plane):
    plane = own_control_plane
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": "default"}}
    uid = plane.cluster.create(held)["metadata"]["uid"]

    plane.apiserver.kill()
    with pytest.raises(SurroundingsFailed):
        plane.cluster.read(CONFIG_MAP, "default", "held")
    plane.etcd.kill()
    plane.etcd.start()
    plane.apiserver.start()
    plane.wait_until_ready()
    assert plane.cluster.read(CONFIG_MAP, "default", "held")["metadata"]["uid"] == uid


def test_a_paused_etcd_makes_writes_fail_and_not_hang(own_control_plane):
    from tests.cluster.kube.direct import Direct

    plane = own_control_plane
    plane.etcd.pause()
    hurried = Direct(plane.admin, timeout_s=1.0)
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": "default"}}
    with pytest.raises(SurroundingsFailed):
        hurried.create(held)
    plane.etcd.resume()
    plane.wait_until_ready()
    assert plane.cluster.apply(held)["metadata"]["name"] == "held"
    hurried.close()

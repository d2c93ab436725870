"""What manifests/samples asks KServe for, beside manifests/overlays/local, by KServe's own manager; pods are played."""

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.control_plane.chart.release import ROOT, kubectl
from tests.cluster.control_plane.kserve.test_servers import FIRST, serving
from trimtab.adapters.kserve.kinds import CLUSTER_SERVING_RUNTIME, DEPLOYMENT
from trimtab.adapters.kubernetes import parts
from trimtab.ports.servers import ServerState

if TYPE_CHECKING:
    from tests.cluster.kube.kserve import KServePlane

pytestmark = pytest.mark.xdist_group("kserve")


def test_the_local_overlay_brings_the_runtime_that_serves_them(
    kserve_control_plane: "KServePlane", kserve_namespace: str
) -> None:
    from tests.cluster.kube.manifests import parsed

    kubeconfig, cluster = kserve_control_plane.plane.kubeconfig, kserve_control_plane.plane.cluster
    sample = yaml.safe_load((ROOT / "manifests" / "samples" / "modelrollout.yaml").read_text())
    template: dict[str, Any] = sample["spec"]["serving"]["template"]
    world = serving(cluster, kserve_namespace, template)
    missed = world.servers.template_fact(FIRST)
    assert missed.reason == "RuntimeNotFound"
    assert "or of the cluster serves model format 'trimtab' and protocol 'v2'" in missed.message
    assert parts.RUNTIME in missed.message
    whole = parsed(kubectl(kubeconfig, "kustomize", "manifests/overlays/local").stdout)
    (runtime,) = (one for one in whole if one["kind"] == CLUSTER_SERVING_RUNTIME.kind)
    cluster.create(runtime)
    try:
        assert world.servers.template_fact(FIRST).status == "True"
        world.servers.ensure("flights", FIRST)
        world.until(FIRST, ServerState.READY)
        (deployment,) = world.objects(DEPLOYMENT, FIRST)
        (server,) = deployment["spec"]["template"]["spec"]["containers"]
        assert server["image"] == "trimtab-serving:0.1.0"
        assert "--revision=aaaa1111" in server["args"]
    finally:
        cluster.delete(CLUSTER_SERVING_RUNTIME, "", runtime["metadata"]["name"])

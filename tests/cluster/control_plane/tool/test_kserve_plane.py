"""KServe's own manager and Kubernetes' own controllers, with a kubelet that is played."""

import pytest

from trimtab.ports.cluster import Kind, Refused

pytestmark = pytest.mark.xdist_group("kserve")
INFERENCE_SERVICE = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
POD = Kind("", "v1", "Pod", "pods")


def inference_service(namespace, name="m", pod=None):
    annotations = {"serving.kserve.io/autoscalerClass": "none"} | (
        {"tests.trimtab.dev/pod": pod} if pod else {}
    )
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"networking.kserve.io/visibility": "cluster-local"},
            "annotations": annotations,
        },
        "spec": {
            "predictor": {
                "containers": [{"name": "kserve-container", "image": "example.com/model:1"}],
            }
        },
    }


def condition(obj, kind):
    conditions = (obj or {}).get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == kind), {})


def test_an_inference_service_becomes_ready_and_goes_with_all_it_made(kserve_cluster, kserve_namespace):
    from tests.cluster.kube.poll import eventually

    kserve_cluster.create(inference_service(kserve_namespace))

    def read():
        return kserve_cluster.read(INFERENCE_SERVICE, kserve_namespace, "m")

    eventually("Ready", lambda: condition(read(), "Ready").get("status") == "True")
    assert read()["status"]["address"]["url"] == f"http://m-predictor.{kserve_namespace}.svc.cluster.local"
    assert len(kserve_cluster.list(POD, kserve_namespace)) == 1
    kserve_cluster.delete(INFERENCE_SERVICE, kserve_namespace, "m")
    eventually("no Deployment left", lambda: not kserve_cluster.list(DEPLOYMENT, kserve_namespace))
    eventually("no pod left", lambda: not kserve_cluster.list(POD, kserve_namespace))


def test_kserves_webhook_refuses_what_it_refuses(kserve_cluster, kserve_namespace):
    with pytest.raises(Refused, match="admission webhook"):
        kserve_cluster.create(inference_service(kserve_namespace, name="0-begins-with-a-digit"))


@pytest.mark.parametrize(("pod", "reason"), [("crash", "CrashLoopBackOff"), ("no-image", "ImagePullBackOff")])
def test_a_pod_in_trouble_keeps_its_service_from_being_ready(kserve_cluster, kserve_namespace, pod, reason):
    from tests.cluster.kube.poll import eventually

    kserve_cluster.create(inference_service(kserve_namespace, pod=pod))

    def waits_for():
        return [
            container["state"].get("waiting", {}).get("reason")
            for one in kserve_cluster.list(POD, kserve_namespace)
            for container in one["status"].get("containerStatuses", ())
        ]

    eventually(reason, lambda: waits_for() == [reason])
    service = kserve_cluster.read(INFERENCE_SERVICE, kserve_namespace, "m")
    assert condition(service, "Ready").get("status") != "True"

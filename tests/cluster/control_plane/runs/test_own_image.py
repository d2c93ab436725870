"""The image of a pod, as its status has it at a real API server; the pod's node is played."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES, allow
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.kubernetes.own_image import own_image

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

READS_PODS = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
DIGEST = f"sha256:{'0a' * 32}"


@pytest.fixture
def asked(
    control_plane: "ControlPlane", cluster: "Direct", namespace: str, mount: Callable[[str], Path]
) -> Callable[..., str]:
    """What a pod says of its image whose status has this id, and whose service account may do this."""

    def made(image_id: str, rules: list[dict[str, Any]], container: str = "run", image: str = "ml:1") -> str:
        allow(cluster, namespace, PIPELINES, rules)
        account = mount(PIPELINES)
        (account / "namespace").write_text(namespace)
        spec = {"containers": [{"name": container, "image": image}], "serviceAccountName": PIPELINES}
        meta = {"name": "training", "namespace": namespace}
        pod = cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        of = {
            "name": container,
            "image": image,
            "imageID": image_id,
            "ready": True,
            "restartCount": 0,
            "state": {},
        }
        cluster.write_status({**pod, "status": {**pod.get("status", {}), "containerStatuses": [of]}})
        return own_image(PodApi(control_plane.url, account, pauses_s=()))

    return made  # fmt: skip


def test_a_job_s_pod_tells_its_image_by_digest(
    asked: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_POD", "training")
    monkeypatch.setenv("TRIMTAB_IMAGE", "ml:1")
    assert asked(f"registry/ml@{DIGEST}", READS_PODS) == f"ml:1@{DIGEST}"


def test_a_task_of_kubeflow_pipelines_tells_that_of_its_main_container(
    asked: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_POD_NAME", "training")
    monkeypatch.setenv("TRIMTAB_TASK_IMAGE", "ml:1")
    assert asked(f"registry/ml@{DIGEST}", READS_PODS, "main") == f"ml:1@{DIGEST}"


@pytest.mark.parametrize(
    ("variable", "told"), [("TRIMTAB_POD", "TRIMTAB_IMAGE"), ("KFP_POD_NAME", "TRIMTAB_TASK_IMAGE")]
)
def test_without_the_right_to_read_pods_it_is_the_name_that_it_was_told(
    asked: Callable[..., str], monkeypatch: pytest.MonkeyPatch, variable: str, told: str
) -> None:
    monkeypatch.setenv(variable, "training")
    monkeypatch.setenv(told, "ml:1")
    assert asked(f"registry/ml@{DIGEST}", []) == "ml:1"

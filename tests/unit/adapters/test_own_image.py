"""What image a process takes for its own."""

from pathlib import Path

import pytest

from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.adapters.kubernetes.own_image import image_of, own_image

DIGEST = f"sha256:{'0a' * 32}"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    for name in (
        "TRIMTAB_IMAGE",
        "TRIMTAB_TASK_IMAGE",
        "TRIMTAB_POD",
        "KFP_POD_NAME",
        "KUBERNETES_SERVICE_HOST",
    ):
        monkeypatch.delenv(name, raising=False)  # fmt: skip


def pod(image, image_id):
    statuses = [{"name": "istio-proxy", "imageID": "mesh@sha256:ff"}, {"name": "run", "imageID": image_id}]
    containers = [{"name": "istio-proxy", "image": "mesh"}, {"name": "run", "image": image}]
    return {"spec": {"containers": containers}, "status": {"containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("image", "image_id", "found"),
    [
        ("reg:5000/ml:1", f"reg:5000/ml@{DIGEST}", f"reg:5000/ml:1@{DIGEST}"),
        ("ml", f"docker-pullable://ml@{DIGEST}", f"ml@{DIGEST}"),
        ("ml:1", DIGEST, f"ml:1 ({DIGEST})"),
        (f"ml@{DIGEST}", f"ml@sha256:{'ff' * 32}", f"ml@{DIGEST}"),
        ("ml:1", "", "ml:1"),
    ],
)
def test_the_digest_is_that_of_the_container_that_works(image, image_id, found):
    assert image_of(pod(image, image_id), "run") == found


def test_a_pod_that_has_no_status_yet_has_the_name_of_its_image():
    assert image_of({"spec": {"containers": [{"name": "run", "image": "ml:1"}]}}, "run") == "ml:1"


def test_on_a_laptop_the_image_that_an_ir_names_is_nobody_s(monkeypatch):
    monkeypatch.setenv("TRIMTAB_TASK_IMAGE", "trimtab:latest")
    assert own_image() == ""
    monkeypatch.setenv("TRIMTAB_IMAGE", f"ml@{DIGEST}")
    assert own_image() == f"ml@{DIGEST}"


@pytest.mark.parametrize(
    ("variable", "told"), [("TRIMTAB_POD", "TRIMTAB_IMAGE"), ("KFP_POD_NAME", "TRIMTAB_TASK_IMAGE")]
)
def test_an_api_server_that_cannot_be_asked_leaves_what_the_container_was_told(
    monkeypatch, tmp_path: Path, variable, told
):
    monkeypatch.setenv(variable, "training")
    monkeypatch.setenv(told, "ml:1")
    assert own_image() == "ml:1"  # no service account is mounted
    account = tmp_path / "account"
    account.mkdir()
    for name in ("token", "ca.crt", "namespace"):
        (account / name).write_text("")
    waited = []
    assert own_image(PodApi("https://127.0.0.1:1", account, waited.append, pauses_s=())) == "ml:1"
    assert waited == []

"""What a person meets at the terminal: kubectl explains, lists, installs and dry-runs the resources."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.control_plane.crd_objects import FULL_ROLLOUT, MONITOR, ROLLOUT, changed
from trimtab.api.resources import DriftMonitor, ModelRollout, RetrainPolicy
from trimtab.ports.cluster import Kind, Refused

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

ROOT = Path(__file__).resolve().parents[3]
CRDS = ROOT / "manifests/crds"
ROLLOUTS = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
MONITORS = Kind("trimtab.dev", "v1alpha1", "DriftMonitor", "driftmonitors")

pytestmark = pytest.mark.usefixtures("trimtab_crds")


@pytest.fixture
def kubectl(control_plane: "ControlPlane", tmp_path: Path):
    from tests.cluster.kube.binaries import binary

    program = [
        str(binary("kubectl")),
        "--kubeconfig",
        str(control_plane.kubeconfig),
        "--cache-dir",
        str(tmp_path),
    ]

    def run(*args: str) -> str:
        done = subprocess.run([*program, *args], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def explained(kubectl):
    """kubectl explain, once the API server has published the new kinds in its OpenAPI document: it takes seconds."""
    from tests.cluster.kube.poll import eventually

    def published() -> bool:
        try:
            return all(kubectl("explain", kind) for kind in ("mr", "dm", "rtp"))
        except AssertionError:
            return False

    eventually("the kinds are explained", published)
    return lambda path: kubectl("explain", path)


def test_explain_says_what_a_field_means_and_may_hold(explained):
    text = explained("modelrollout.spec.strategy.steps.canary.percent")
    assert "percent <integer>" in text
    assert "Share of requests that the candidate answers" in text
    assert "ENUM:\n    Pause\n    Rollback\n    Advance" in explained(
        "modelrollout.spec.strategy.onInconclusive"
    )


@pytest.mark.parametrize("kind", ["mr", "dm", "rtp"])
def test_every_field_of_a_spec_is_explained(explained, kind):
    schema = yaml.safe_load(
        next(p for p in CRDS.glob("*.yaml") if f"- {kind}\n" in p.read_text()).read_text()
    )
    spec = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    text = explained(f"{kind}.spec")
    for name, field in spec["properties"].items():
        assert f"\n  {name}\t" in text
        assert field["description"].split()[0] in text


def test_get_shows_where_a_rollout_stands(kubectl, cluster: "Direct", namespace):
    made = cluster.create({**ROLLOUT, "metadata": {"name": "flights", "namespace": namespace}})
    assert made
    revision = {"revision": "0a1b2c3d", "version": "7", "uri": "s3://m/7", "digest": "0a"}
    status = {
        "phase": "Canary",
        "stable": revision,
        "candidate": {**revision, "version": "8"},
        "shares": {"stable": 95, "candidate": 5, "mirror": 0},
        "verdict": "Inconclusive",
    }
    cluster.write_status({**made, "status": status})
    header, row = kubectl("get", "mr", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "PHASE", "STABLE", "CANDIDATE", "TRAFFIC", "MIRROR", "VERDICT", "AGE"]
    assert row.split()[:-1] == ["flights", "Canary", "7", "8", "5", "0", "Inconclusive"]
    assert "modelrollout.trimtab.dev/flights" in kubectl("get", "trimtab", "-n", namespace, "-o", "name")


def test_get_shows_what_a_monitor_saw(kubectl, cluster: "Direct", namespace):
    made = cluster.create({**MONITOR, "metadata": {"name": "flights", "namespace": namespace}})
    assert made
    at = "2026-01-01T00:00:00Z"
    drifted = {"type": "Drifted", "status": "True", "reason": "Tripped", "lastTransitionTime": at}
    worst = {"column": "distance", "measure": "ks", "value": "0.31", "threshold": "0.1", "drifted": True}
    status = {"conditions": [drifted], "worst": [worst], "rows": 1200, "coverage": "0.97"}
    cluster.write_status({**made, "status": status})
    header, row = kubectl("get", "dm", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "DRIFTED", "WORST", "VALUE", "ROWS", "COVERAGE", "AGE"]
    assert row.split()[:-1] == ["flights", "True", "distance", "0.31", "1200", "0.97"]


def test_definitions_are_installed_by_server_side_apply_twice_alike(kubectl):
    first = kubectl("apply", "--server-side", "--force-conflicts", "-k", str(CRDS))
    assert first.count("serverside-applied") == 3
    assert kubectl("apply", "--server-side", "-k", str(CRDS)).count("serverside-applied") == 3


def test_chart_and_manifests_hold_the_same_definitions():
    definitions = [path for path in CRDS.glob("*.yaml") if path.name != "kustomization.yaml"]
    assert len(definitions) == 3
    for path in definitions:
        assert (ROOT / "helm/trimtab/files/crds" / path.name).read_bytes() == path.read_bytes()


def test_samples_are_accepted(kubectl, namespace):
    for kind in (ModelRollout, DriftMonitor, RetrainPolicy):
        text = (ROOT / f"manifests/samples/{kind.__name__.lower()}.yaml").read_text()
        kind.from_file(yaml.safe_load(text))
    said = kubectl(
        "apply", "--server-side", "--dry-run=server", "-n", namespace, "-k", str(ROOT / "manifests/samples")
    )
    assert said.count("serverside-applied (server dry run)") == 9


def test_what_nobody_knows_is_pruned_and_a_template_is_kept(cluster: "Direct", namespace):
    obj = changed(
        FULL_ROLLOUT, {"metadata.namespace": namespace, "spec.nonsense": 1, "spec.route.nonsense": 1}
    )
    stored = cluster.create(obj)
    assert stored
    assert "nonsense" not in stored["spec"]
    assert "nonsense" not in stored["spec"]["route"]
    assert stored["spec"]["serving"]["template"] == FULL_ROLLOUT["spec"]["serving"]["template"]


@pytest.mark.parametrize(
    ("kind", "base", "patch", "said"),
    [
        (ROLLOUTS, ROLLOUT, {"modelName": "other"}, "modelName never changes"),
        (MONITORS, MONITOR, {"target": {"rolloutRef": "other"}}, "target never changes"),
    ],
)
def test_what_never_changes_is_refused_when_it_does(cluster: "Direct", namespace, kind, base, patch, said):
    cluster.create(changed(base, {"metadata.namespace": namespace}))
    with pytest.raises(Refused, match=said):
        cluster.merge(kind, namespace, base["metadata"]["name"], {"spec": patch})


def test_an_object_of_a_newer_definition_is_read_and_an_old_one_lives_under_it(
    own_control_plane: "ControlPlane",
):
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.namespaces import fresh

    cluster = own_control_plane.cluster
    install(cluster, [CRDS])
    newer = yaml.safe_load((CRDS / "modelrollouts.yaml").read_text())
    route = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "route"
    ]
    route["properties"]["colour"] = {"type": "string", "maxLength": 9, "default": "blue"}
    with fresh(cluster) as namespace:
        cluster.create(changed(ROLLOUT, {"metadata.namespace": namespace}))
        cluster.apply(newer)
        from tests.cluster.kube.poll import eventually

        def defaulted() -> bool:
            held = cluster.read(ROLLOUTS, namespace, "flights")
            return held is not None and held["spec"]["route"].get("colour") == "blue"

        eventually("the newer definition is served", defaulted)
        held = cluster.read(ROLLOUTS, namespace, "flights")
        assert held
        assert ModelRollout.from_wire(held).spec == ModelRollout.from_file(ROLLOUT).spec
        cluster.merge(ROLLOUTS, namespace, "flights", {"spec": {"suspend": True}})

"""Operators of two versions at once, as in an upgrade that is taken back: the newer one knows a field more.

There is one version of ours, so the newer one is a copy of it with a field that it writes into each status.
"""

# ruff: noqa: F811  # fixtures are imported

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.control_plane.faults.behind import becomes, plane, playing, replica  # noqa: F401  # a fixture
from tests.cluster.control_plane.faults.settings import PLAYED

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.processes import Replica
    from tests.cluster.control_plane.operator.scene import Scene
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults-of-processes")
FIELD = "writtenBy"
CHANGES = {
    "src/trimtab/api/rollout_status.py": (
        '    stalled: str = ""\n',
        '    stalled: str = ""\n    written_by: str = ""\n',
    ),
    "src/trimtab/adapters/kubernetes/state.py": (
        "**body, **kept}",
        f'**body, **kept, "{FIELD}": "the newer"}}',
    ),
}
STRATEGY: dict[str, Any] = {
    "warmUp": {"requests": 1, "timeout": "60s"},
    "steps": [
        {"name": "first", "canary": {"percent": 10}, "until": {"minDuration": "1s"}},
        {"name": "asked", "approval": {}},
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1s"}},
        {"name": "asked-again", "approval": {}},
    ],
    "keepPrevious": "1s",
}


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A checkout of the newer version."""
    from tests.cluster.control_plane.faults.processes import REPOSITORY

    for part in ("src", "operators"):
        shutil.copytree(
            REPOSITORY / part, tmp_path / "newer" / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name, (old, new) in CHANGES.items():
        path = tmp_path / "newer" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, name
        path.write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path / "newer"


def definition() -> dict[str, Any]:
    """The newer version's ModelRollout."""
    from tests.cluster.control_plane.faults.conftest import ROOT

    read: dict[str, Any] = yaml.safe_load((ROOT / "manifests/crds/modelrollouts.yaml").read_text("utf-8"))
    properties = read["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["status"]["properties"][FIELD] = {"type": "string"}
    return read


def approved(scene: "Scene", replica: "Replica", step: str) -> None:
    becomes(
        scene, replica, f"it waits at {step}", lambda: (scene.status.get("step") or {}).get("name") == step
    )
    scene.order("approve", scene.revision("candidate"), step)


def test_a_rollout_goes_on_through_an_upgrade_and_its_rollback(
    plane: "ControlPlane", newer: Path, tmp_path: Path
) -> None:
    with playing(plane, PLAYED[-1]) as scene, replica(plane, scene.namespace, tmp_path / "a") as (_, old):
        scene.serve_first(strategy=STRATEGY)
        scene.wish("2")
        becomes(scene, old, "the canary", lambda: 10 in scene.split.weights.values())
        plane.cluster.apply(definition())
        with replica(plane, scene.namespace, tmp_path / "b", newer) as (_, new):
            approved(scene, old, "asked")  # obeyed by whoever leads
            old.kill()
            becomes(scene, new, "the newer one writes", lambda: scene.status.get(FIELD) == "the newer")
            becomes(scene, new, "half", lambda: set(scene.split.weights.values()) == {50})
            becomes(scene, new, "it waits again", lambda: scene.status["step"]["name"] == "asked-again")
            with replica(plane, scene.namespace, tmp_path / "c") as (_, older):
                new.kill()
                approved(scene, older, "asked-again")
                becomes(scene, older, "version 2 is stable", lambda: scene.version("stable") == "2")
                becomes(
                    scene, older, "it has all traffic", lambda: set(scene.split.weights.values()) == {100}
                )
                becomes(scene, older, "it settles", lambda: scene.servers == {"2"} and scene.phase == "Idle")
    assert FIELD not in scene.status, "the older one does not carry what it does not know"
    promoted = [one["revision"] for one in scene.status["history"] if one["kind"] == "Promoted"]
    assert len(promoted) == len(set(promoted)) == 2
    assert not scene.status.get("rejected")
    assert scene.is_("Ready")

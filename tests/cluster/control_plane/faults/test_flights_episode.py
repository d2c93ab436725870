"""The flights episode replayed into the cluster, whatever is killed. All 200 seeds: tests/cluster/node."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.machine import Machine
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults")
SEEDS = int(os.environ.get("TRIMTAB_SEEDS", "20"))
"""More by the environment."""


def test_one_run_takes_effect_whatever_is_killed(
    harmed_plane: "ControlPlane", machine: "Machine", tmp_path: Path, fault: "Row"
) -> None:
    from tests.cluster.control_plane.faults.episodes import lived

    must = "exactly one pipeline run takes effect; others end skipped"
    fault.says(f"the flights episode, seeds 0 to {SEEDS - 1}", must)
    fault.cases(SEEDS)
    found = lived(harmed_plane, machine, tmp_path, range(SEEDS))
    harm = ", ".join(f"{times} {what}" for what, times in sorted(found.harm.items()))
    fault.says(f"the flights episode, seeds 0 to {SEEDS - 1}: {harm}", must)
    assert found.broken == {}
    assert found.harm["operators killed"] > 3 * SEEDS
    assert found.harm["runs killed"] > SEEDS / 2
    assert found.harm["surplus runs"] > SEEDS / 10

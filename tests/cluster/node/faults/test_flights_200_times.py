"""The flights episode replayed into a control plane 200 times, whatever is killed: minutes, so not with `make test`."""

# ruff: noqa: F811  # fixtures are imported

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.faults import test_flights_episode
from tests.cluster.control_plane.faults.conftest import harmed_plane, machine  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.machine import Machine
    from tests.cluster.fault_table import Row
    from tests.cluster.kube.control_plane import ControlPlane

pytestmark = pytest.mark.xdist_group("faults")


def test_one_run_takes_effect_in_all_of_200_seeds(
    harmed_plane: "ControlPlane",
    machine: "Machine",
    tmp_path: Path,
    fault: "Row",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test_flights_episode, "SEEDS", 200)
    test_flights_episode.test_one_run_takes_effect_whatever_is_killed(harmed_plane, machine, tmp_path, fault)

"""A retraining whose operator dies at any write, in the settings that `make test` leaves out."""

# ruff: noqa: F401  # tests and fixtures are imported

import pytest

from tests.cluster.control_plane.faults.conftest import harmed_plane, machine, pytest_generate_tests
from tests.cluster.control_plane.faults.settings import PLAYED
from tests.cluster.control_plane.faults.test_killed_retraining import (
    test_killed_before_or_after_any_write_the_end_is_the_same,
    told,
)

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = PLAYED[:-1]

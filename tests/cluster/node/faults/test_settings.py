"""Every row of the fault table that goes through a rollout, in each setting, with KServe's own manager: minutes."""

# ruff: noqa: F401  # tests and fixtures are imported

import pytest

from tests.cluster.control_plane.faults.conftest import kserve_worlds, make_stage, pytest_generate_tests
from tests.cluster.control_plane.faults.settings import REAL
from tests.cluster.control_plane.faults.test_bad_candidates import test_a_bad_candidate_is_rolled_back
from tests.cluster.control_plane.faults.test_forgotten import (
    test_a_clock_that_jumps_promotes_nothing_early_and_turns_nobody_away,
    test_a_status_that_is_lost_leads_to_the_same_end,
)
from tests.cluster.control_plane.faults.test_killed import (
    test_killed_before_or_after_any_write_the_end_is_the_same,
)
from tests.cluster.control_plane.faults.test_meddled import (
    test_a_deleted_candidate_gets_nothing,
    test_a_deleted_route_is_made_again,
    test_a_namespace_that_goes_is_let_go,
    test_an_edited_route_is_put_back,
)
from tests.cluster.control_plane.faults.test_random_meddling import (
    test_random_meddling_over_a_real_api_server,
)
from tests.cluster.control_plane.faults.test_surroundings_down import (
    mlflow_address,
    test_kserve_is_down,
    test_prometheus_is_down,
    test_the_collector_is_down_in_a_canary,
    test_the_gateway_accepts_nothing,
    test_the_registry_is_down,
)

IN_TWO = ("faults-of-one-half", "faults-of-the-other")
SETTINGS = [
    pytest.param(one, marks=pytest.mark.xdist_group(IN_TWO[n // 2]), id=str(one))
    for n, one in enumerate(REAL)
]

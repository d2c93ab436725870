"""Every `sh install` block of docs/install.md is run, in order, by kubectl and helm on an empty API server."""

import pytest

from tests.cluster.control_plane.chart.release import install_page, person

pytestmark = pytest.mark.xdist_group("chart")


def test_the_page_runs_in_order(own_control_plane, tmp_path):
    script = "\n".join(install_page())
    assert script.count("helm ") > 6
    person(script, tmp_path, own_control_plane.kubeconfig)

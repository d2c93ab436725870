"""The cluster's tutorial and the page on upgrading: their `sh install` blocks, in order, by kubectl and helm."""

import re

import pytest

from tests.cluster.control_plane.chart.release import ROOT, SYSTEM, kubectl, page_blocks, person

pytestmark = pytest.mark.xdist_group("chart")
VALUES = re.compile(r"^```yaml\n(# values.yaml\n.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_installs_and_the_next_page_upgrades_and_goes_back(own_control_plane, tmp_path):
    (values,) = VALUES.findall((ROOT / "docs" / "tutorial-cluster.md").read_text())
    (tmp_path / "values.yaml").write_text(values)
    (tmp_path / "token").write_text("t")
    kubeconfig = own_control_plane.kubeconfig
    person("\n".join(page_blocks("install", "tutorial-cluster.md")), tmp_path, kubeconfig)
    kinds = "modelrollouts,driftmonitors,retrainpolicies"
    made = kubectl(kubeconfig, "get", kinds, "-n", "shop", "-o", "name").stdout.split()
    assert len(made) == 3
    person("\n".join(page_blocks("install", "upgrade.md")), tmp_path, kubeconfig)
    held = kubectl(kubeconfig, "get", kinds, "-n", "shop", "-o", "name").stdout.split()
    assert held == made, "what people made outlives an upgrade and a way back"
    images = kubectl(
        kubeconfig, "get", "deployment", "trimtab-operator", "-n", SYSTEM, "-o", "jsonpath={..image}"
    )
    assert images.stdout == "registry.example.com/trimtab-operator:0.1.0"

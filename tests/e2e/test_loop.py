"""From an empty cluster by docs/install.md, in the images that the Dockerfiles make: the whole loop, and away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.e2e.conftest import PULLED, took

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

SHOP = "shop"


def test_a_release_s_operator_lives_through_the_loop_and_goes_without_hurting_who_serves(
    cluster: "Node", gateway: "Gateway", tmp_path: Path, record_property: "Note"
) -> None:
    from datetime import UTC, datetime

    from tests.cluster.control_plane.chart.release import SYSTEM, install_page, person
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node import rehearsing, rollouts

    cluster.load([cluster.images.training()])  # the platform's MLflow server runs in it
    with took(record_property, "helm install, until both replicas are Ready"):
        person(install_page()[0], tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(SYSTEM, "trimtab-operator", 300)
    rehearsal = rehearsing.Rehearsal(datetime.now(UTC))
    values = {"config": {**yaml.safe_load(rehearsal.configuration(SHOP)), "collector": {"storage": ""}}}
    (tmp_path / "values.yaml").write_text(json.dumps(values))
    person(f"helm upgrade trimtab helm/trimtab -n {SYSTEM} -f values.yaml", tmp_path, cluster.kubeconfig)
    cluster.wait_for_rollout(SYSTEM, "trimtab-operator", 300)
    cluster.kubectl("create", "namespace", SHOP)
    team = rehearsing.Team(cluster, SHOP, PULLED["trimtab"], PULLED["serving"], ("python3",))
    with took(record_property, "trained in a pod, served, drifted, trained anew, shadowed, half, promoted"):
        rehearsing.live(team, gateway, rehearsal, tmp_path, record_property)

    person(f"helm uninstall trimtab -n {SYSTEM} --wait", tmp_path, cluster.kubeconfig)
    eventually("no pod", lambda: not cluster.list("pods", SYSTEM), 120)
    assert rollouts.Rollout(cluster, SHOP).weights(), "the route stays"

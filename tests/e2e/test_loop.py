"""From an empty cluster by docs/install.md, in the images that the Dockerfiles make: the whole loop, and away.

Flights of 2013 are asked about as they happened; what comes of it is the operator's doing alone. It writes the result
and the report that the demo writes on a laptop, to .trimtab/e2e.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.e2e.conftest import PULLED, took

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

SHOP = "shop"
MADE = Path(__file__).parents[2] / ".trimtab" / "e2e"


def test_spring_is_lived_through_in_a_cluster_with_nobody_at_hand(
    cluster: "Node", gateway: "Gateway", tmp_path: Path, record_property: "Note"
) -> None:
    from datetime import UTC, datetime

    from tests.cluster.control_plane.chart.release import SYSTEM, install_page, person
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node import rehearsing, rollouts
    from tests.e2e import replaying
    from trimtab.local.demo import result

    cluster.load([cluster.images.training()])  # the platform's MLflow server runs in it
    with took(record_property, "helm install, until both replicas are Ready"):
        person(install_page()[0], tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(SYSTEM, "trimtab-operator", 300)

    def upgrade(rehearsal: rehearsing.Rehearsal) -> None:
        values = {"config": {**yaml.safe_load(rehearsal.configuration(SHOP)), "collector": {"storage": ""}}}
        (tmp_path / "values.yaml").write_text(json.dumps(values))
        person(f"helm upgrade trimtab helm/trimtab -n {SYSTEM} -f values.yaml", tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(SYSTEM, "trimtab-operator", 300)

    start, slowly, now = replaying.START, replaying.SLOWLY, datetime.now(UTC)
    upgrade(rehearsing.Rehearsal(now, start, 1))
    rehearsal = rehearsing.Rehearsal(now + slowly, start + slowly, replaying.SPEED)
    cluster.kubectl("create", "namespace", SHOP)
    team = rehearsing.Team(cluster, SHOP, PULLED["trimtab"], PULLED["serving"], ("python3",))
    with replaying.Replay(team, gateway, rehearsal, tmp_path, say) as replay:
        with took(record_property, "from an empty namespace to the first model in service"):
            replay.begin(f"http://127.0.0.1:{cluster.service(SYSTEM, 'trimtab-operator', 8080)}")
        upgrade(rehearsal)
        with took(record_property, "spring lived through"):
            replay.run()
        MADE.mkdir(parents=True, exist_ok=True)
        result.write(replay.lived(), MADE)
    record_property("took", f"{replay.late_s:6.1f} s  that the replay was late, at the most")

    person(f"helm uninstall trimtab -n {SYSTEM} --wait", tmp_path, cluster.kubeconfig)
    eventually("no pod", lambda: not cluster.list("pods", SYSTEM), 120)
    assert rollouts.Rollout(cluster, SHOP).weights(), "the route stays"

    came = json.loads((MADE / "result.json").read_text())
    assert came["requests"]["failed"] == 0, came["requests"]
    assert [one["cause"] for one in came["drift"]["episodes"]] == ["performance"]
    first, *later = came["retrainings"]
    assert first["cause"] == "first"
    assert {one["cause"] for one in later} == {"performance"}
    assert later[-1]["outcome"] == "Promoted"
    assert len(came["promotions"]) == 2
    assert came["events"]["lost"] == 0, came["events"]
    report = (MADE / "report.html").read_text()
    assert came["promotions"][1]["name"] in report


def say(line: str) -> None:
    """For who waits for twenty minutes."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.__stderr__, flush=True)

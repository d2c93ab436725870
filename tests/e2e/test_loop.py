"""From an empty cluster by docs/install.md, in the images that the Dockerfiles make: the whole loop, and away.

Flights of 2013 are asked about as they happened; what comes of it is the operator's doing alone. It writes the result
and the report that the demo writes on a laptop, to .trimtab/e2e.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.conftest import took

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.shares import Note

SHOP = "shop"
MADE = Path(__file__).parents[2] / ".trimtab" / "e2e"


def test_spring_is_lived_through_in_a_cluster_with_nobody_at_hand(
    cluster: "Node", gateway: "Gateway", system: str, tmp_path: Path, record_property: "Note"
) -> None:
    from datetime import UTC, datetime

    from tests.cluster.control_plane.chart.release import install_page, person
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node import rehearsing, rollouts
    from tests.e2e import replaying
    from tests.e2e.peaks import Peaks
    from tests.e2e.shop import Shop
    from trimtab.local.demo import result

    with took(record_property, "helm install, until both replicas are Ready"):
        person(install_page()[0], tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(system, "trimtab-operator", 300)

    start, slowly, now = replaying.START, replaying.SLOWLY, datetime.now(UTC)
    shop = Shop(cluster, SHOP, rehearsing.Rehearsal(now + slowly, start + slowly, replaying.SPEED))

    def upgrade(rehearsal: rehearsing.Rehearsal) -> None:
        (tmp_path / "values.yaml").write_text(json.dumps(shop.values(rehearsal)))
        person(f"helm upgrade trimtab helm/trimtab -n {system} -f values.yaml", tmp_path, cluster.kubeconfig)
        cluster.wait_for_rollout(system, "trimtab-operator", 300)

    upgrade(rehearsing.Rehearsal(now, start, 1))
    cluster.kubectl("create", "namespace", SHOP)
    with Peaks(cluster) as peaks, replaying.Replay(shop, gateway, tmp_path, say) as replay:
        with took(record_property, "from an empty namespace to the first model in service"):
            replay.begin(f"http://127.0.0.1:{cluster.service(system, 'trimtab-operator', 8080)}")
        known = replay.looked_up()
        upgrade(shop.rehearsal)
        with took(record_property, "spring lived through"):
            replay.run()
        MADE.mkdir(parents=True, exist_ok=True)
        result.write(replay.lived(), MADE)
        queries = replay.queries()
    peaks.tell(record_property)
    record_property("took", f"{replay.late_s:6.1f} s  that the replay was late, at the most")

    person(f"helm uninstall trimtab -n {system} --wait", tmp_path, cluster.kubeconfig)
    of_operator = "app.kubernetes.io/name=trimtab-operator"
    eventually("no operator", lambda: not cluster.list("pods", system, of_operator), 120)
    assert rollouts.Rollout(cluster, SHOP).weights(), "the route stays"

    came = json.loads((MADE / "result.json").read_text())
    assert came["requests"]["failed"] == 0, came["requests"]
    assert known == len(replaying.CARRIERS), "the first run filled the online store"
    assert queries >= came["requests"]["served"], "and each request was looked up there"
    assert [one["cause"] for one in came["drift"]["episodes"]] == ["performance"]
    first, *later = came["retrainings"]
    assert first["cause"] == "first"
    assert {one["cause"] for one in later} == {"performance"}
    assert later[-1]["outcome"] == "Promoted"
    assert len(came["promotions"]) == 2
    assert came["events"]["lost"] == 0, came["events"]
    traffic = json.loads((MADE / "story.json").read_text())["traffic"]
    candidate = came["promotions"][1]["revision"]
    assert any(one["mirror"] == candidate for one in traffic), "a shadow first"
    shares = [one["weights"][candidate] for one in traffic if candidate in one["weights"]]
    assert shares == [20, 50, 100], "then the canary's steps, and promotion"
    report = (MADE / "report.html").read_text()
    assert came["promotions"][1]["name"] in report


def say(line: str) -> None:
    """For who waits for twenty minutes."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.__stderr__, flush=True)

"""People, clocks and machines meddle at random: weights sum up, stable serves, what is others' stays.

In every setting, and a thousand looks in one of them: tests/cluster/node/faults.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.faults.settings import PLAYED
from tests.cluster.control_plane.faults.test_meddled import MINE, THEIRS, edited

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.settings import Setting
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
SETTINGS = PLAYED[2:3]
SEEDS = range(4)
LOOKS, LOOKS_BESIDE_KSERVE, LOOKS_IN_ONE = 40, 63, 250
"""Of each seed while things happen, played, beside KServe's own manager, and there in one setting; then as many as it
takes to end."""
IN_ONE = PLAYED[2].name


def foreign(namespace: str) -> list[dict[str, Any]]:
    """What is not ours, beside our own and by like names."""
    meta = {"namespace": namespace, "labels": {"app": "flights"}, "annotations": {MINE: THEIRS}}
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {**meta, "name": "flights"},
            "spec": {
                "hostnames": ["other.example.com"],
                "rules": [{"backendRefs": [{"name": "x", "port": 80}]}],
            },
        },
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {**meta, "name": "flights-theirs"},
            "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}},
        },
    ]


def meddle(stage: "Stage", dice: random.Random) -> str:
    """One thing that people, clocks and machines do; the revision that somebody ordered away, "" mostly."""
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
    from trimtab.api.resources.act import Verb

    what = dice.choice(
        ["time"] * 6
        + ["wish", "wipe", "restart", "route", "edit", "server", "away", "back", "bad", "down"]
        + ["abort"] * 6
    )
    match what:
        case "wish":
            stage.wish(str(dice.randrange(2, 6)))
        case "wipe":
            stage.wipe()
        case "restart":
            stage.restart()
        case "route":
            stage.machine.cluster.delete(HTTP_ROUTE, stage.namespace, "flights-trimtab")
        case "edit" if stage.route is not None:
            edited(stage, (30, 70))
        case "server":
            mine = [name for name in stage.servers if name != "flights-theirs" and stage.stable not in name]
            for name in mine:
                stage.machine.cluster.delete(INFERENCE_SERVICE, stage.namespace, name)
        case "away":
            stage.players.away = {stage.revision(str(dice.randrange(2, 6)))}
        case "back":
            stage.players.away = set()
        case "bad":
            stage.evidence.errors = {stage.revision(str(dice.randrange(2, 6))): 0.4}
        case "down":
            stage.evidence.down = not stage.evidence.down
        case "abort" if (unwanted := stage.candidate) and not stage.refused(unwanted):
            stage.order(Verb.ABORT, unwanted)
            return unwanted
    return ""


def test_random_meddling_over_a_real_api_server(make_stage: "Make", setting: "Setting", fault: "Row") -> None:
    from trimtab.ports.cluster import Object

    fault.says(
        f"random interleavings, seeds {SEEDS.start} to {SEEDS.stop - 1}",
        "weights sum to 100; stable always serves; abort reaches 0 in one reconcile; every rollout ends; "
        "foreign routes, labels, annotations intact",
    )
    aborted: list[str] = []
    each = LOOKS if not setting.real else LOOKS_IN_ONE if setting.name == IN_ONE else LOOKS_BESIDE_KSERVE

    def story(seed: int) -> list[str]:
        dice, stage, said = random.Random(seed), make_stage(), []
        theirs: list[Object] = []
        for obj in foreign(stage.namespace):
            made = stage.machine.cluster.create(obj)
            assert made is not None
            theirs.append(made)
        stage.serve_first()
        for _ in range(each):
            unwanted = meddle(stage, dice)
            stage.look()
            aborted.extend([unwanted] if unwanted else [])
            if stage.weights.get(unwanted):
                said.append(f"look {stage.looks}: {unwanted} was aborted, and has {stage.weights[unwanted]}")
            if stage.weights and sum(stage.weights.values()) != 100:
                said.append(f"{stage.weights}")
            if (
                stage.stable
                and not stage.players.serves(stage.stable)
                and stage.stable not in stage.players.away
            ):
                said.append(f"look {stage.looks}: stable {stage.stable} does not serve")
        stage.players.away, stage.evidence.down, stage.evidence.errors = set(), False, {}
        try:
            stage.until("it ends", lambda: stage.idle and list(stage.weights) == [stage.stable])
        except AssertionError as error:
            said.append(str(error))
        for made in theirs:
            kind = next(k for k in KINDS() if k.kind == made["kind"])
            now = stage.machine.cluster.read(kind, stage.namespace, made["metadata"]["name"])
            if now is None or _theirs(now) != _theirs(made):
                said.append(f"{made['kind']} of others was touched")
        return [*said, *stage.broken]

    with ThreadPoolExecutor(len(SEEDS)) as pool:
        found = dict(zip(SEEDS, pool.map(story, SEEDS), strict=True))
    fault.cases(each * len(SEEDS))
    assert {seed: said for seed, said in found.items() if said} == {}
    assert len(aborted) >= len(SEEDS)


def KINDS() -> tuple[Any, ...]:  # imported late
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

    return (HTTP_ROUTE, INFERENCE_SERVICE)


def _theirs(obj: Any) -> Any:
    return obj["spec"], obj["metadata"]["labels"], obj["metadata"]["annotations"], obj["metadata"]["uid"]

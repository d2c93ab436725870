"""People and clocks meddle: edits are put back, what is lost is rebuilt, what is others' stays as it is."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane.faults.stage import Stage
    from tests.cluster.fault_table import Row

    Make = Callable[..., Stage]

pytestmark = pytest.mark.xdist_group("faults")
AT_ONCE = 6
HOUR = timedelta(hours=1)
LOOKS = 9
"""Of an unharmed rollout, from the wish to the promotion; harm is done before each of them."""
LONG_STEP = 3
RECONCILES = 160
MINE, THEIRS = "example.com/mine", "another tool wrote this"


def in_canary(stage: "Stage") -> None:
    from tests.cluster.control_plane.faults.stage import revision

    stage.serve_first()
    stage.wish("2")
    stage.at("Canary", {revision("1"): 50, revision("2"): 50})


def edited(stage: "Stage", weights: tuple[int, int]) -> None:
    """Somebody turns the weights, and notes something of their own."""
    held = stage.route
    assert held is not None
    notes = {**held["metadata"]["annotations"], MINE: THEIRS}
    rules = [
        {
            **rule,
            "backendRefs": [
                {**ref, "weight": w} for ref, w in zip(rule["backendRefs"], weights, strict=False)
            ],
        }
        for rule in held["spec"]["rules"]
    ]
    metadata = {**held["metadata"], "annotations": notes}
    stage.machine.cluster.replace({**held, "metadata": metadata, "spec": {**held["spec"], "rules": rules}})


def test_an_edited_route_is_put_back(make_stage: "Make", fault: "Row") -> None:
    from tests.cluster.control_plane.faults.stage import revision

    fault.says("somebody edits our route", "put back, reported; their annotations stay")
    stage = make_stage()
    in_canary(stage)
    edited(stage, (5, 95))
    assert stage.weights[revision("2")] in (5, 95)
    stage.look()
    assert stage.weights == {revision("1"): 50, revision("2"): 50}
    assert stage.condition("RouteEdited")[0] == "True"
    assert stage.route is not None
    assert stage.route["metadata"]["annotations"][MINE] == THEIRS
    stage.until("it is promoted", lambda: stage.stable == revision("2") and stage.settled)
    assert stage.route["metadata"]["annotations"][MINE] == THEIRS


def test_a_deleted_route_is_made_again(make_stage: "Make", fault: "Row") -> None:
    from tests.cluster.control_plane.faults.stage import revision
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE

    fault.says("somebody deletes our route", "made again; the rollout ends well")
    stage = make_stage()
    in_canary(stage)
    stage.machine.cluster.delete(HTTP_ROUTE, stage.namespace, "flights-trimtab")
    assert stage.route is None
    stage.look()
    assert stage.weights.get(revision("1"), 0) >= 50
    stage.until("it has ended", lambda: stage.settled)
    assert not stage.broken


def test_a_deleted_candidate_gets_nothing(make_stage: "Make", fault: "Row") -> None:
    from tests.cluster.control_plane.faults.stage import revision
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

    fault.says("somebody deletes the candidate at 50 %", "stable serves all, its replicas as before")
    stage = make_stage()
    in_canary(stage)
    before = {name: bounds for name, bounds in stage.servers.items() if revision("1") in name}
    stage.machine.cluster.delete(INFERENCE_SERVICE, stage.namespace, f"flights-{revision('2')}")
    stage.players.play()
    stage.look()
    assert stage.weights == {revision("1"): 100} or stage.players.serves(revision("2"))
    stage.until("it has ended", lambda: stage.settled)
    assert {name: bounds for name, bounds in stage.servers.items() if revision("1") in name} in (before, {})
    assert not stage.broken


def test_a_namespace_that_goes_is_let_go(make_stage: "Make", fault: "Row") -> None:
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
    from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT, NAMESPACE

    fault.says("somebody deletes the namespace at 50 %", "nothing is made in it again, nothing hangs")
    stage = make_stage()
    in_canary(stage)
    cluster = stage.machine.cluster
    cluster.delete(NAMESPACE, "", stage.namespace)
    cluster.delete(HTTP_ROUTE, stage.namespace, "flights-trimtab")
    stage.look()
    assert cluster.read(HTTP_ROUTE, stage.namespace, "flights-trimtab") is None
    for name in stage.servers:
        cluster.delete(INFERENCE_SERVICE, stage.namespace, name)
    stage.look()
    assert not stage.servers
    cluster.delete(MODEL_ROLLOUT, stage.namespace, "flights")
    assert stage.handler.look(stage.namespace, "flights") is None


def wiped(make: "Make", at: int, bad: bool) -> tuple[Any, ...]:
    """The end of a rollout whose status is lost before its look `at` (0: never)."""
    from tests.cluster.control_plane.faults.stage import revision

    stage = make()
    stage.evidence.errors[revision("2")] = 0.5 if bad else 0.0
    stage.serve_first()
    stage.wish("2")
    wanted = revision("1") if bad else revision("2")

    def over() -> bool:
        decided = stage.looks > 6 and (stage.barred if bad else stage.stable == wanted)
        return decided and stage.settled

    for look in range(1, 60):
        if look == at:
            stage.wipe()
        stage.look()
        if over() and look > at:
            break
    for _ in range(5):
        stage.look()
    return stage.stable, stage.idle, stage.weights, stage.mirrored, len(stage.servers), stage.broken


@pytest.mark.parametrize("bad", [False, True])
def test_a_status_that_is_lost_leads_to_the_same_end(make_stage: "Make", bad: bool, fault: "Row") -> None:
    what = "rolled back" if bad else "promoted"
    fault.says(f"status wiped at every step ({what})", "same end; nothing rejected comes back")
    expected = wiped(make_stage, 0, bad)
    steps = range(1, LOOKS + 4)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(steps, pool.map(lambda at: wiped(make_stage, at, bad), steps), strict=True))
    fault.cases(len(steps))
    assert {at: end for at, end in ends.items() if end != expected} == {}, f"expected {expected}"


def steps_of_clock(make: "Make", at: int, jump: timedelta) -> tuple[dict[str, int], bool, list[str]]:
    """(looks at which each step's traffic flowed, whether it was promoted, what broke) where the wall clock is set
    before a look; each look is a minute of the monotonic clock."""
    from tests.cluster.control_plane.faults.stage import STRATEGY, revision

    stage = make()
    long = [
        {**step, "until": {**step["until"], "minDuration": f"{LONG_STEP}m"}} for step in STRATEGY["steps"]
    ]
    stage.spec(strategy={**STRATEGY, "steps": long})
    stage.serve_first()
    stage.wish("2")
    stood = {"shadow": 0, "half": 0}
    for look in range(1, 60):
        if look == at:
            stage.time.jump(jump)
        stage.look()
        stood["shadow"] += stage.mirrored is not None
        stood["half"] += len(stage.weights) == 2
        if look > 3 and stage.settled:
            break
    assert stage.settled, stage.status
    return stood, stage.stable == revision("2"), stage.broken


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_promotes_nothing_early(make_stage: "Make", jump: timedelta, fault: "Row") -> None:
    ahead = jump > timedelta()
    fault.says(f"clock jumps {'+' if ahead else '-'}1 h at every step", "no early promotion")
    usual, promoted, _ = steps_of_clock(make_stage, 0, jump)
    assert promoted
    assert min(usual.values()) >= LONG_STEP
    steps = range(1, 3 * LONG_STEP + 2, 2)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda at: steps_of_clock(make_stage, at, jump), steps))
    fault.cases(len(steps))
    for at, (stood, promoted, broken) in zip(steps, found, strict=True):
        assert not broken
        assert not promoted or min(stood.values()) >= LONG_STEP, f"set at look {at}: {stood}"
        assert promoted or not ahead, f"set at look {at}: it was not promoted"


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


def meddle(stage: "Stage", dice: random.Random) -> None:
    """One thing that people, clocks and machines do."""
    from tests.cluster.control_plane.faults.stage import revision
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

    what = dice.choice(
        ["time"] * 6 + ["wish", "wipe", "restart", "route", "edit", "server", "away", "back", "bad", "down"]
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
            stage.players.away = {revision(str(dice.randrange(2, 6)))}
        case "back":
            stage.players.away = set()
        case "bad":
            stage.evidence.errors = {revision(str(dice.randrange(2, 6))): 0.4}
        case "down":
            stage.evidence.down = not stage.evidence.down


@pytest.mark.parametrize("seeds", [range(4)])
def test_random_meddling_over_a_real_api_server(make_stage: "Make", seeds: range, fault: "Row") -> None:
    from trimtab.ports.cluster import Object

    fault.says(
        f"random interleavings, seeds {seeds.start} to {seeds.stop - 1}",
        "weights sum to 100; stable always serves; every rollout ends; what is others' stays",
    )
    each = RECONCILES // len(seeds)

    def story(seed: int) -> list[str]:
        dice, stage, said = random.Random(seed), make_stage(), []
        theirs: list[Object] = []
        for obj in foreign(stage.namespace):
            made = stage.machine.cluster.create(obj)
            assert made is not None
            theirs.append(made)
        stage.serve_first()
        for _ in range(each):
            meddle(stage, dice)
            stage.look()
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

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(seeds, pool.map(story, seeds), strict=True))
    fault.cases(RECONCILES)
    assert {seed: said for seed, said in found.items() if said} == {}


def KINDS() -> tuple[Any, ...]:  # imported late
    from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
    from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

    return (HTTP_ROUTE, INFERENCE_SERVICE)


def _theirs(obj: Any) -> Any:
    return obj["spec"], obj["metadata"]["labels"], obj["metadata"]["annotations"], obj["metadata"]["uid"]

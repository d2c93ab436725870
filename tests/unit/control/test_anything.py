"""Whatever happens, in whatever order: what must always hold, holds; and every rollout ends."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from trimtab.api.rollout import Rollout
from trimtab.ports.gateway import Split
from trimtab.ports.servers import ServerState

HOUR = timedelta(hours=1)
SPEC = Rollout.model_validate(
    {
        "steps": [
            {
                "name": "shadow",
                "shadow": {"percent": 50},
                "until": {"minDuration": "6h", "maxDuration": "2d"},
            },
            {"name": "look", "preview": {"hostname": "new.example.com"}, "until": {"minDuration": "6h"}},
            {"name": "first", "canary": {"percent": 5}, "until": {"minDuration": "6h", "maxDuration": "2d"}},
            {"name": "sign-off", "approval": {}},
            {
                "name": "beta",
                "audience": {"header": {"name": "x-cohort", "value": "beta"}},
                "until": {"minDuration": "6h"},
            },
            {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "6h", "maxDuration": "2d"}},
            {"name": "rest", "hold": {}, "until": {"minDuration": "6h"}},
        ],
        "checks": [
            {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": 0.05},
            {
                "name": "latency",
                "metric": "latency_p90",
                "noWorseThanStableBy": "50%",
                "require": "NotFailed",
            },
            {"name": "sane", "metric": "disagreement", "atMost": 0.5, "require": "NotFailed"},
        ],
    }
)
POLICIES = [("Rollback", "Queue"), ("Advance", "Supersede"), ("Pause", "Queue"), ("Rollback", "Supersede")]


def act(stage, dice, world, made):
    """One thing that may happen."""
    status = stage.status
    candidate = status.candidate.revision if status.candidate else ""
    stable = status.stable.revision if status.stable else ""
    what = dice.choice(
        ["time"] * 8
        + ["candidate", "abort", "undo", "retry", "approve", "approve", "promote", "suspend", "resume"]
        + ["die", "come back", "edit", "down", "up", "kill", "wipe", "restart", "errors", "jump"]
    )
    match what:
        case "time":
            world.pass_time(dice.choice([HOUR, 3 * HOUR, 9 * HOUR]))
        case "candidate":
            made.append(world.candidate(f"m{len(made)}", errors=dice.choice([0.0, 0.0, 0.0, 0.3])))
        case "abort" | "approve" | "promote":
            world.order(what, candidate, id=f"{dice.random()}", step="sign-off" if what == "approve" else "")
        case "undo":
            world.order("undo", stable, id=f"{dice.random()}")
        case "retry":
            world.order("retry", dice.choice(made), id=f"{dice.random()}")
        case "suspend" | "resume":
            world.state.suspend("flights", what == "suspend")
        case "die" | "come back" if candidate in world.servers_up:
            state = ServerState.NOT_READY if what == "die" else ServerState.READY
            server = world.servers_up[candidate]
            died = what == "die"
            world.servers_up[candidate] = replace(
                server, state=state, since_s=40.0, restarts=server.restarts + died
            )
        case "edit" if stable and candidate in world.servers_up:
            world.split_now = Split({stable: 30, candidate: 70})
        case "down":
            world.down.add(dice.choice(["registry", "gateway", "evidence", "runs"]))
        case "up":
            world.down.clear()
        case "kill":
            world.kill.at, world.kill.writes, world.kill.after = dice.randrange(6), 0, dice.random() < 0.5
        case "wipe" if not world.down:
            world.wipe()
            stage.loop = stage.make()
        case "restart":
            stage.loop = stage.make()
        case "errors" if candidate:
            world.models[candidate].errors = dice.choice([0.0, 0.7])
        case "jump":
            world.clock.by(dice.choice([timedelta(days=40), HOUR]))
    return what, candidate


def always(stage, world, what, was):
    split = world.split_now
    assert not world.broken_promises
    assert sum(split.weights.values()) == 100
    status = stage.status
    if not world.down:
        assert status.stable is not None
        assert status.stable.revision in world.servers_up
        assert set(split.weights) <= {r.revision for r in (status.stable, status.candidate) if r}
    if what == "abort" and not world.down and was:
        assert was not in split.weights
        assert was not in (split.mirror, split.chosen, split.preview)
    if what == "jump" and was:
        assert status.stable.revision != was or world.weight(was) == 100


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("seed", range(16))
def test_random_interleavings(make_stage, seed, clustered):
    dice = random.Random(seed)
    inconclusive, newer = POLICIES[seed % len(POLICIES)]
    spec = SPEC.model_validate(
        {**SPEC.model_dump(by_alias=True), "onInconclusive": inconclusive, "onNewCandidate": newer}
    )
    stage = make_stage(spec, clustered=clustered)
    world = stage.world
    made = [stage.serve_first()]
    if clustered:
        world.by_load[made[0]] = dice.choice([1, 3, 10])
        assert stage.until(lambda s: s.status.stable is not None, days=1, step=HOUR)
    for _ in range(120):
        stable_before = stage.status.stable
        what, candidate = act(stage, dice, world, made)
        stage.look()
        if what == "jump" and candidate and stage.status.stable and stable_before:
            assert (
                stage.status.stable.revision == stable_before.revision or stage.status.phase.value == "Idle"
            )
        always(stage, world, what, candidate if what in ("abort", "jump") else "")
    world.down.clear()
    world.kill.at = -1
    world.state.suspend("flights", False)
    world.order("none", "", id="the last order is of no consequence")
    for revision, server in list(world.servers_up.items()):
        world.servers_up[revision] = replace(server, state=ServerState.READY, since_s=0.0)

    def ends(stage):
        candidate = stage.status.candidate
        if candidate is not None and stage.status.phase.value == "AwaitingApproval":
            world.order("approve", candidate.revision, id=f"{dice.random()}", step="sign-off")
        if candidate is not None and stage.status.stalled:
            world.order("abort", candidate.revision, id=f"{dice.random()}")
        newest = made[-1]
        decided = world.rejected(newest) or stage.status.stable.revision == newest
        return not stage.status.in_flight and not stage.status.leaving and decided

    assert stage.until(ends, days=40, step=6 * HOUR), stage.status
    assert not world.rejected(stage.status.stable.revision)
    assert stage.until(lambda s: s.status.in_flight, days=1, step=6 * HOUR) is False

"""A ModelRollout by the operator in its pods, KServe's controller and Envoy Gateway: real models, a constant load."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.node.shares import Note, note_cost
from tests.cluster.node.under_load import (
    LONG,
    answered_by,
    assert_kept_up,
    assert_no_failure,
    begin,
    failures,
    kill,
    least,
    measured,
    rejected,
    scale,
    start_load,
)

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")


def test_v2_takes_over_by_shadow_and_canary_and_is_undone_and_no_request_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.rollouts import model

    v1 = begin(rollout, models, keep_previous=LONG)
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the shadow", lambda: rollout.flows("shadow"))
    v2 = rollout.revision("candidate")
    for kind in ("MirrorSupported", "PairingSupported"):
        assert (rollout.condition(kind), rollout.reason(kind)) == ("True", "Probed")
    measured(gateway, rollout, record_property, 6, mirror=30)
    for step, percent in (("fifth", 20), ("half", 50)):
        sign_off = f"after-{step}"
        rollout.eventually(f"the approval {sign_off}", lambda sign_off=sign_off: rollout.step() == sign_off)
        measured(gateway, rollout, record_property, 8, candidate=percent)
        rollout.order("approve", v2, sign_off)
    rollout.eventually("v2 is stable", lambda: rollout.serves_alone("2"))
    assert rollout.revision() == v2
    answered_by(load, {v2})
    assert set(rollout.servers()) == {v1, v2}

    rollout.order("undo", v2)
    rollout.eventually("v1 is stable again", lambda: rollout.serves_alone("1"))
    answered_by(load, {v1})
    assert {one["version"] for one in rollout.status["rejected"]} == {"2"}
    ended = load.stop()
    assert_no_failure(ended, record_property)
    assert set(ended.revisions) == {v1, v2}


def test_a_candidate_that_crashes_is_rolled_back_and_no_request_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node.rollouts import model

    long = {"name": "shadow", "shadow": {"percent": 20}, "until": {"minDuration": LONG}}
    v1 = begin(rollout, models, steps=[long])
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the shadow", lambda: rollout.flows("shadow"))
    v2 = rollout.revision("candidate")

    def is_out() -> bool:
        kill(v2)
        return v2 in rejected(rollout)

    eventually("the candidate is rejected", is_out, 120, every_s=1)
    rollout.eventually("v1 is alone", lambda: rollout.serves_alone("1") and set(rollout.servers()) == {v1})
    ended = load.stop()
    assert_no_failure(ended, record_property)
    assert set(ended.revisions) == {v1}


def test_a_candidate_that_crashes_in_its_canary_is_rolled_back_and_none_of_stable_s_requests_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.kube.poll import eventually
    from tests.cluster.node.rollouts import model

    fifth = {"name": "fifth", "canary": {"percent": 20}, "until": {"minDuration": LONG}}
    v1 = begin(rollout, models, steps=[fifth])
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the canary", lambda: rollout.flows("fifth"))
    v2 = rollout.revision("candidate")
    answered_by(load, {v1, v2})
    began = len(load.seconds)
    of_stable, of_candidate = failures(gateway, rollout, v1), failures(gateway, rollout, v2)

    def is_out() -> bool:
        kill(v2)
        return v2 in rejected(rollout)

    eventually("the candidate is rejected", is_out, 120, every_s=0.2)
    rollout.eventually("v1 is alone", lambda: rollout.serves_alone("1"))
    answered_by(load, {v1})
    hurt = [one for one in load.seconds[began:] if one["failed"]]
    assert failures(gateway, rollout, v1) == of_stable
    answered_by(load, {v1}, seconds=5)
    ended = load.stop()
    assert_kept_up(ended, record_property)
    assert not of_candidate
    # A crash costs what was on its way to the candidate, and its share until the route has left it; no more.
    sent = sum(one["sent"] for one in hurt)
    note_cost(record_property, "a crash in a canary of 20 %", ended.failed, sent, len(hurt))
    assert ended.failed <= 0.2 * sent + 5 * (sent * 0.2 * 0.8) ** 0.5
    assert not any(one["failed"] for one in load.seconds[-5:])


def test_a_folder_that_is_not_the_registered_one_never_gets_a_request(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.rollouts import model

    v1 = begin(rollout, models)
    load = start_load(gateway, rollout, models)
    rollout.wish({**model(models, "v2"), "digest": "0" * 64})
    rollout.eventually("the candidate is rejected", lambda: rejected(rollout))
    rollout.eventually("v1 is alone", lambda: rollout.serves_alone("1") and set(rollout.servers()) == {v1})
    ended = load.stop()
    assert_no_failure(ended, record_property)
    assert set(ended.revisions) == {v1}
    assert all("died" in because for because in rejected(rollout).values())


def test_stable_that_was_scaled_in_takes_all_after_an_abort_and_serves_on_when_its_rollout_is_deleted(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.rollouts import model

    half = {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": LONG}}
    v1 = begin(rollout, models, replicas=2, steps=[half])
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the canary", lambda: rollout.flows("half"))
    v2 = rollout.revision("candidate")
    measured(gateway, rollout, record_property, 6, candidate=50)

    scale(rollout, v1, 1)
    rollout.eventually("stable has its servers again", lambda: least(rollout, v1) == 2)
    rollout.order("abort", v2)
    rollout.eventually("v1 is alone", lambda: rollout.serves_alone("1"))
    answered_by(load, {v1})
    rollout.eventually("v2 is gone", lambda: set(rollout.servers()) == {v1})

    rollout.delete()
    held = rollout.servers()
    assert set(held) == {v1}
    assert not held[v1]["metadata"].get("ownerReferences")
    assert rollout.weights() == {f"{held[v1]['metadata']['name']}-predictor": 100}
    answered_by(load, {v1}, seconds=5)
    assert_no_failure(load.stop(), record_property)

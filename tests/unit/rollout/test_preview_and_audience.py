"""Steps that lead chosen requests to the candidate: a second host, and callers told apart."""

import pytest

from trimtab.api.rollout import Audience, Check, Rollout, Step
from trimtab.api.rollout_status import Phase
from trimtab.rollout import Apart, Routed, ServerSeen, conditions
from trimtab.rollout.decision import Route
from trimtab.rollout.steps import step_hash
from trimtab.rollout.traffic import load, wished

HOST = "preview.example.com"
BETA = Audience.model_validate({"header": {"name": "x-cohort", "value": "beta"}})
COOKIE = Audience.model_validate({"cookie": {"name": "cohort", "value": "beta"}})
TENTH = Audience.model_validate({"hash": {"header": "x-user", "percent": 10}})
STABLE = Routed({"stable": 100})
PREVIEWED = Routed({"stable": 100}, preview="cand", preview_host=HOST)
CHOSEN = Routed({"stable": 100}, chosen="cand", audience=BETA)
ONLY_HEADERS = Apart(frozenset({"header"}), "it says no more")


def step(name, **kind):
    return Step.model_validate({"name": name, **kind})


LOOK = step("look", preview={"hostname": HOST}, until={"minDuration": "1h"})
ASK = step("sign-off", approval={})
TRY = step("beta", audience=BETA.model_dump(exclude_none=True), until={"minDuration": "1h"})
BLUE_GREEN, A_B = (LOOK, ASK), (TRY,)


def at(scene, steps, name, elapsed_s=0.0, routed=STABLE):
    """Under way at a step of a rollout with these steps and no checks."""
    spec = Rollout(steps=steps, checks=())
    phases = {"look": Phase.PREVIEW, "sign-off": Phase.AWAITING_APPROVAL}
    under = scene.canary().under(steps=steps, checks=())
    held = scene.at(name, elapsed_s, spec=spec).model_copy(update={"seen_s": 0.0})
    return under.status(phase=phases.get(name, Phase.AUDIENCE), step=held).world(routed=routed)


def entering(scene, steps, **world):
    """Warm, before the first step."""
    return (
        scene.idle()
        .status(phase=Phase.STARTING, candidate=scene.CANDIDATE, warmed=1000)
        .server("cand")
        .under(steps=steps, checks=())
        .world(**world)
    )


# what is wished


@pytest.mark.parametrize(
    ("steps", "name", "expected"),
    [
        (BLUE_GREEN, "look", PREVIEWED),
        (BLUE_GREEN, "sign-off", PREVIEWED),
        (A_B, "beta", CHOSEN),
        (
            (step("t", audience=TENTH.model_dump(exclude_none=True)),),
            "t",
            Routed({"stable": 90, "cand": 10}, chosen="cand", audience=TENTH),
        ),
    ],
)
def test_the_traffic_of_a_step(scene, steps, name, expected):
    here = at(scene, steps, name)
    assert wished(here.spec, here.seen.status) == expected
    assert here.decide().after == (Route(expected),)
    assert expected.names() == {"stable", "cand"}


def test_how_many_come_with_a_header_is_not_known_so_all_might():
    assert (load(CHOSEN, "cand"), load(PREVIEWED, "cand"), load(CHOSEN, "stable")) == (100, 0, 100)
    assert load(Routed({"stable": 90, "cand": 10}, chosen="cand", audience=TENTH), "cand") == 10


@pytest.mark.parametrize(
    ("steps", "name", "phase"), [(BLUE_GREEN, "look", "Preview"), (A_B, "beta", "Audience")]
)
def test_a_warm_candidate_enters(scene, steps, name, phase):
    claim = entering(scene, steps).decide().claim
    assert (claim.step.name, claim.phase.value) == (name, phase)


def test_blue_green_ends_in_a_switch_once_a_person_agrees(scene):
    tried = at(scene, BLUE_GREEN, "look", elapsed_s=3600.0, routed=PREVIEWED).decide().claim
    assert (tried.step.name, tried.phase) == ("sign-off", Phase.AWAITING_APPROVAL)
    asked = at(scene, BLUE_GREEN, "sign-off", routed=PREVIEWED)
    assert asked.decide().waits
    assert asked.ordered("approve", "cand", "sign-off").decide().claim.phase is Phase.PROMOTING
    switched = asked.status(phase=Phase.PROMOTING).decide()
    assert switched.after == (Route(Routed({"cand": 100})),)


def test_before_its_time_it_stays_at_the_second_host(scene):
    assert "lasts" in at(scene, BLUE_GREEN, "look", elapsed_s=60.0, routed=PREVIEWED).decide().because


@pytest.mark.parametrize(
    ("steps", "name", "routed"), [(BLUE_GREEN, "look", PREVIEWED), (A_B, "beta", CHOSEN)]
)
def test_nobody_is_led_to_a_candidate_that_is_rolled_back_or_does_not_answer(scene, steps, name, routed):
    here = at(scene, steps, name, routed=routed)
    claim = here.ordered("abort", "cand").decide().claim
    assert here.status(phase=claim.phase, rollback=claim.rollback).decide().after == (Route(STABLE),)
    assert here.server("cand", ready=False, since_s=30.0).decide().claim.phase is Phase.ROLLING_BACK
    assert here.world(routed=STABLE).server("cand", ready=False, since_s=1.0).decide().after == ()


@pytest.mark.parametrize(
    ("steps", "name", "routed"), [(BLUE_GREEN, "look", PREVIEWED), (A_B, "beta", CHOSEN)]
)
def test_a_route_that_somebody_changed_is_put_back(scene, steps, name, routed):
    assert at(scene, steps, name, routed=STABLE).decide().after == (Route(routed),)


def test_an_audience_waits_for_the_capacity_of_all_and_stable_goes_on_alone(scene):
    servers = {
        "stable": ServerSeen(True, False, 9.0, 0, replicas=4, least=0),
        "cand": ServerSeen(True, False, 9.0, 0, replicas=1, least=0),
    }
    here = at(scene, A_B, "beta").world(servers=servers)
    assert here.decide().claim.capacity.candidate == 4
    raised = here.status(capacity=here.decide().claim.capacity).world(
        servers={**servers, "cand": ServerSeen(True, False, 9.0, 0, replicas=1, least=4)}
    )
    assert raised.decide().because == "waiting for capacity: 1 of 4 replicas answer"
    assert raised.decide().after == ()


# what a gateway cannot do


@pytest.mark.parametrize("audience", [COOKIE, TENTH])
def test_an_audience_that_the_gateway_cannot_tell_apart_does_not_start_and_says_so_once(scene, audience):
    steps = (step("who", audience=audience.model_dump(exclude_none=True)),)
    unable = entering(scene, steps, apart=ONLY_HEADERS)
    decision = unable.decide()
    because = f"who cannot start: the gateway tells nobody apart by {audience.way}: it says no more"
    assert (decision.waits, decision.claim.stalled, decision.claim.step) == (True, because, None)
    again = unable.status(stalled=because)
    assert (again.decide().claim, again.decide().happened) == (None, ())
    told = {one.type: one for one in conditions(again.spec, again.seen)}
    assert (told["Stalled"].status, told["Stalled"].reason) == ("True", "AudienceUnsupported")
    assert (told["AudienceSupported"].status, told["AudienceSupported"].reason) == ("False", "Unsupported")
    assert entering(scene, steps).decide().claim.phase is Phase.AUDIENCE


def test_a_header_works_where_nothing_else_does(scene):
    able = entering(scene, A_B, apart=ONLY_HEADERS)
    assert able.decide().claim.phase is Phase.AUDIENCE
    told = {one.type: one for one in conditions(able.spec, able.seen)}
    assert told["AudienceSupported"].status == "True"


# which checks


def test_no_test_is_asked_of_callers_who_are_no_sample_only_a_metrics_server(scene):
    queue = Check.model_validate(
        {
            "name": "queue",
            "prometheus": {"providerRef": "p", "query": "up"},
            "atMost": 1,
            "require": "NotFailed",
        }
    )
    steps = (step("shadow", shadow={}), LOOK, TRY, step("half", canary={"percent": 50}))
    spec = Rollout(steps=steps, checks=(*scene.SPEC.checks, queue))
    asked = {one.name: [check.name for check in spec.checks_at(one)] for one in steps}
    assert asked == {
        "shadow": ["loss", "queue"],
        "look": [],
        "beta": ["queue"],
        "half": ["errors", "queue"],
    }


def test_a_step_of_an_older_kind_is_the_same_step_as_before():
    """Their hashes stand in statuses: another one would begin the step under way anew."""
    assert step_hash(step("first", canary={"percent": 5})) == "a22ee56a"

"""A DriftMonitor over a real collector, a real registry and a real API server."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.drift_handlers import objects
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT

if TYPE_CHECKING:
    from tests.cluster.control_plane.drift_handlers.stage import Stage

pytestmark = pytest.mark.xdist_group("operator")


def told(status: dict, kind: str) -> tuple[str, str, str]:
    from tests.cluster.control_plane.drift_handlers.stage import condition

    found = condition(status, kind)
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def begin(stage: "Stage", **spec: object) -> None:
    stage.create(
        objects.rollout(stage.namespace, "flights", stage.model), objects.monitor(stage.namespace, **spec)
    )
    stage.serve(stage.register())
    stage.look()


def passes(stage: "Stage", days: range, **world: bool) -> None:
    from tests.cluster.control_plane.drift_handlers.stage import DAY, HOUR, MATURE, START

    for day in days:
        stage.day(day, **world)
        stage.clock.advance(START + (day + 1) * DAY + MATURE + HOUR)
        stage.look()


def test_a_world_as_it_was_opens_nothing_and_one_that_moved_opens_an_episode(stage: "Stage") -> None:
    begin(stage)
    stage.history()
    passes(stage, range(4))
    seen = stage.watch()
    assert told(seen, "Ready")[0] == "True", seen
    assert told(seen, "Drifted")[:2] == ("False", "NoEpisode")
    assert told(seen, "PerformanceDropped")[:2] == ("False", "NoEpisode")
    assert told(seen, "ReferenceLoaded")[0] == "True"
    assert told(seen, "CoverageSufficient")[:2] == ("Unknown", "NoDenominator")
    assert (seen["revision"], seen["rows"], len(seen["tripped"])) == ("aaaaaaaa", 240, 4)
    passes(stage, range(4, 7), moved=True)
    seen = stage.watch()
    assert told(seen, "Drifted")[:2] == ("True", "EpisodeOpen"), seen
    assert [one["cause"] for one in seen["episodes"]] == ["drift"]
    assert seen["worst"][0]["column"] == "distance"
    assert float(seen["worst"][0]["value"]) > float(seen["worst"][0]["threshold"])
    about = f'namespace="{stage.namespace}"'
    assert stage.metric(f'trimtab_open_episodes{{cause="drift",name="watch",{about}') == 1.0
    assert stage.metric(f'trimtab_drift{{column="distance",measure="ks",name="watch",{about}')


def test_another_leader_goes_on_where_the_last_one_stood(stage: "Stage") -> None:
    begin(stage)
    passes(stage, range(2))
    before = stage.watch()
    stage.restart()
    stage.look()
    after = stage.watch()
    assert after == before
    passes(stage, range(2, 3))
    assert len(stage.watch()["tripped"]) == 3


def test_a_week_without_traffic_judges_nothing_and_it_says_why(stage: "Stage") -> None:
    from tests.cluster.control_plane.drift_handlers.stage import DAY, START

    begin(stage)
    for day in range(1, 8):
        stage.clock.advance(START + day * DAY)
        again_s = stage.look()
    seen = stage.watch()
    assert told(seen, "Ready")[0] == "True"
    assert told(seen, "Drifted")[:2] == ("Unknown", "NoWindowYet")
    assert told(seen, "PerformanceDropped")[:2] == ("Unknown", "NoLabelsYet")
    assert again_s is not None
    assert 0 < again_s <= DAY.total_seconds()
    assert not seen.get("episodes")


def test_a_rollout_that_is_not_there_is_named_and_taken_up_when_it_appears(stage: "Stage") -> None:
    stage.create(objects.monitor(stage.namespace))
    assert stage.look() is None
    status, reason, message = told(stage.watch(), "Ready")
    assert (status, reason) == ("False", "RolloutNotFound")
    assert "'flights'" in message
    stage.create(objects.rollout(stage.namespace, "flights", stage.model))
    stage.look()
    assert told(stage.watch(), "Ready")[:2] == ("False", "NothingServes")
    stage.serve(stage.register())
    stage.look()
    assert told(stage.watch(), "Ready")[:2] == ("True", "Watching")


def test_a_registry_that_is_not_configured_is_named(stage: "Stage") -> None:
    made = objects.rollout(stage.namespace, "flights", stage.model)
    made["spec"]["model"]["registry"]["providerRef"] = "elsewhere"
    stage.create(made, objects.monitor(stage.namespace))
    stage.serve("s3://models/x")
    stage.look()
    status, reason, message = told(stage.watch(), "Ready")
    assert (status, reason) == ("False", "ProviderUnknown")
    assert "'elsewhere'" in message


def test_a_profile_that_is_garbage_is_told_and_its_successor_is_taken(stage: "Stage") -> None:
    stage.create(objects.rollout(stage.namespace, "flights", stage.model), objects.monitor(stage.namespace))
    stage.serve(stage.register(profile=b'{"format": "other"}'))
    assert stage.look() is not None
    status, _, message = told(stage.watch(), "Ready")
    assert status == "False"
    assert "not a reference profile" in message
    assert told(stage.watch(), "ReferenceLoaded")[:2] == ("False", "NotRead")
    stage.serve(stage.register("2"), "2", "bbbbbbbb")
    stage.look()
    assert told(stage.watch(), "Ready")[0] == "True"
    assert stage.watch()["revision"] == "bbbbbbbb"


def test_a_profile_of_another_model_is_refused_by_name(stage: "Stage") -> None:
    from tests.cluster.control_plane.drift_handlers.stage import DAY, HOUR, START

    begin(stage, reference={"uri": "s3://models/of-somebody-else"})
    status, _, message = told(stage.watch(), "Ready")
    assert status == "False"
    assert "s3://models/of-somebody-else" in message
    # One of the same model that counts on another grid cannot be laid beside what was counted.
    other = stage.register("2")
    patch = {"spec": {"reference": {"uri": other}}}
    stage.cluster.merge(DRIFT_MONITOR, stage.namespace, "watch", patch)
    stage.day(0)
    stage.clock.advance(START + DAY + HOUR)
    stage.look()
    assert "different grids" in told(stage.watch(), "Ready")[2]
    own = stage.cluster.get(MODEL_ROLLOUT, stage.namespace, "flights")["status"]["stable"]["uri"]
    stage.cluster.merge(DRIFT_MONITOR, stage.namespace, "watch", {"spec": {"reference": {"uri": own}}})
    stage.look()
    assert told(stage.watch(), "Ready")[0] == "True"
    assert stage.watch()["rows"] == 240


def test_a_model_written_into_its_rollout_has_no_profile_and_is_not_asked_again_and_again(
    stage: "Stage",
) -> None:
    made = objects.rollout(stage.namespace, "flights", stage.model)
    made["spec"]["model"] = {"uri": "s3://models/f/1", "version": "1", "digest": "0" * 64}
    stage.create(made, objects.monitor(stage.namespace))
    stage.serve("s3://models/f/1")
    assert stage.look() >= 60
    assert "has no profile" in told(stage.watch(), "Ready")[2]


@pytest.mark.parametrize(
    "garbage",
    [
        {"revision": "aaaaaaaa"},
        {"revision": "aaaaaaaa", "since": "yesterday", "windowEnd": "never"},
        {"episodes": [{"id": "x", "cause": "weather"}]},
        {
            "rows": -5,
            "worst": [{"column": "ünï\u202ecode", "measure": "ks", "drifted": True, "value": "much"}],
        },
    ],
    ids=["a part", "times", "episodes", "numbers"],
)
def test_a_garbage_status_stops_nothing(stage: "Stage", garbage: dict) -> None:
    begin(stage)
    held = stage.cluster.get(DRIFT_MONITOR, stage.namespace, "watch")
    stage.cluster.call(
        "PUT",
        f"/apis/trimtab.dev/v1alpha1/namespaces/{stage.namespace}/driftmonitors/watch/status",
        {**held, "status": garbage},
    )
    passes(stage, range(3))
    seen = stage.watch()
    assert told(seen, "Ready")[0] == "True", seen
    assert seen["rows"] == 240


def test_names_at_the_limit_and_columns_in_every_script(stage: "Stage") -> None:
    long = "m" * 63
    stage.create(
        objects.rollout(stage.namespace, "r" * 60, stage.model),
        objects.monitor(
            stage.namespace,
            long,
            "r" * 60,
            overrides=[{"match": "Entfernung «größer» ✈ *", "ignore": True}],
        ),
    )
    stage.serve(stage.register(), name="r" * 60)
    stage.look(long)
    assert told(stage.watch(long), "Ready")[0] == "True"


def test_too_many_features_are_refused_in_words(stage: "Stage") -> None:
    from tests.cluster.control_plane.drift_handlers.stage import START, inference

    begin(stage)
    features = {f"f{number}": [1.0] for number in range(2001)}
    answer = stage.post([inference("wide", START, "aaaaaaaa", ["row"], features, [0.5])])
    assert answer.status_code == 400
    assert "2001 features; at most 2000" in answer.text


def test_a_deleted_monitor_leaves_no_series_and_no_error(stage: "Stage") -> None:
    begin(stage)
    series = f'trimtab_open_episodes{{cause="drift",name="watch",namespace="{stage.namespace}"'
    assert stage.metric(series) == 0.0
    stage.cluster.delete(DRIFT_MONITOR, stage.namespace, "watch")
    assert stage.look() is None
    assert stage.metric(series) is None

"""A RetrainPolicy from a monitor's episode to a Job and back, on a real API server."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.drift_handlers import objects
from trimtab.adapters.jobs import JOB, POD
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT, RETRAIN_POLICY

if TYPE_CHECKING:
    from tests.cluster.control_plane.drift_handlers.stage import Stage

pytestmark = pytest.mark.xdist_group("operator")
Json = dict[str, Any]


def told(status: Json, kind: str) -> tuple[str, str, str]:
    from tests.cluster.control_plane.drift_handlers.stage import condition

    found = condition(status, kind)
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def begin(stage: "Stage", **spec: Any) -> None:
    objects.allow_trainer(stage.cluster, stage.namespace)
    stage.create(
        objects.rollout(stage.namespace, "flights", stage.model),
        objects.monitor(stage.namespace),
        objects.policy(stage.namespace, **spec),
    )
    stage.serve(stage.register())
    stage.look()
    stage.look_policy()


def jobs(stage: "Stage") -> list[Json]:
    return [dict(one) for one in stage.cluster.list(JOB, stage.namespace)]


def open_episode(stage: "Stage", cause: str = "performance") -> None:
    """As a monitor stores it; how it comes to open is proven by the first test here."""
    now = stage.clock.now().isoformat()
    episode = {
        "id": f"{cause}-aaaaaaaa-1",
        "cause": cause,
        "openedAt": now,
        "revision": "aaaaaaaa",
        "because": "b",
    }
    from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR

    stage.cluster.merge(
        DRIFT_MONITOR, stage.namespace, "watch", {"status": {"episodes": [episode]}}, status=True
    )


def end(stage: "Stage", job: Json, message: str, *, code: int = 0) -> None:
    """As a kubelet and the Job controller would."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = job["metadata"]["name"]
    template = job["spec"]["template"]
    stage.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-x",
                "namespace": stage.namespace,
                "labels": template["metadata"]["labels"],
            },
            "spec": {"containers": [{"name": "run", "image": "x"}], "restartPolicy": "Never"},
        }
    )
    ended = {"exitCode": code, "message": message, "startedAt": at, "finishedAt": at}
    container = {
        "name": "run", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": ended},
    }  # fmt: skip
    phase = "Failed" if code else "Succeeded"
    stage.cluster.merge(
        POD, stage.namespace, f"{name}-x", {"status": {"phase": phase, "containerStatuses": [container]}},
        status=True,
    )  # fmt: skip
    done = ("FailureTarget", "Failed") if code else ("SuccessCriteriaMet", "Complete")
    reason = "BackoffLimitExceeded" if code else "CompletionsReached"
    conditions = [
        {"type": one, "status": "True", "reason": reason, "lastTransitionTime": at, "lastProbeTime": at}
        for one in done
    ]
    status: Json = {"startTime": at, "conditions": conditions}
    status |= {"failed": 1} if code else {"succeeded": 1, "completionTime": at}
    held = stage.cluster.get(JOB, stage.namespace, name)
    assert held is not None
    stage.cluster.write_status({**held, "status": {**held.get("status", {}), **status}})


def ended(**how: Any) -> str:
    from trimtab.adapters.jobs.message import Ended

    return Ended(**how).to_text()


def test_a_worse_world_opens_an_episode_that_runs_the_pipeline_once_and_its_model_is_promoted(
    stage: "Stage",
) -> None:
    from tests.cluster.control_plane.drift_handlers.stage import DAY, HOUR, MATURE, START

    begin(stage)
    assert told(stage.again(), "Ready")[:2] == ("True", "Watching")
    assert told(stage.again(), "Running")[:2] == ("False", "NothingAsked")
    stage.history()
    for day in range(12):
        stage.day(day, wrong=day >= 2)
        stage.clock.advance(START + (day + 1) * DAY + MATURE + HOUR)
        stage.look()
        stage.look_policy()
        if told(stage.watch(), "PerformanceDropped")[0] == "True":
            break
    seen = stage.watch()
    assert told(seen, "PerformanceDropped")[:2] == ("True", "EpisodeOpen"), seen
    assert float(seen["skill"]["lower"]) > 0
    (job,) = jobs(stage)
    claim = stage.again()["claim"]
    assert (claim["cause"], claim["episode"]) == ("performance", seen["episodes"][0]["id"])
    assert job["metadata"]["annotations"]["trimtab.dev/key"] == claim["key"]
    assert job["metadata"]["ownerReferences"][0]["name"] == "again"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "trimtab-pipelines"
    environment = {
        one["name"]: one.get("value") for one in job["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment["TRIMTAB_MLFLOW"] == stage.configuration.providers.mlflow[0].url
    assert '"stable": "1"' in str(environment["TRIMTAB_PARAMETERS"])
    assert stage.again()["current"]["runId"] == job["metadata"]["name"]
    assert told(stage.again(), "Running")[0] == "True"

    # The run registers version 2, the pod says so, the rollout promotes it.
    uri = stage.register("2")
    end(stage, job, ended(version="2", passed=True, because="log_loss is better", labelled=900))
    stage.look_policy()
    history = stage.again()["history"]
    assert [(one["outcome"], one["version"], one["labelled"]) for one in history] == [("Candidate", "2", 900)]
    assert stage.again().get("claim") is None
    assert stage.again().get("current") is None
    stage.serve(uri, "2", "bbbbbbbb")
    stage.look()
    stage.look_policy()
    assert stage.again()["history"][0]["outcome"] == "Promoted"
    assert all(one.get("closedAt") for one in stage.watch()["episodes"])
    assert len(jobs(stage)) == 1
    about = f'trimtab_runs{{name="again",namespace="{stage.namespace}",outcome="Promoted"'
    assert stage.metric(about) == 1.0


def test_a_job_is_written_by_the_policys_account_and_a_refusal_is_told(stage: "Stage") -> None:
    stage.create(
        objects.rollout(stage.namespace, "flights", stage.model),
        objects.monitor(stage.namespace),
        objects.policy(stage.namespace),
    )
    stage.serve(stage.register())
    stage.look()
    open_episode(stage)
    assert stage.look_policy() is not None
    status, reason, message = told(stage.again(), "Ready")
    assert (status, reason) == ("False", "Hindered")
    assert f"system:serviceaccount:{stage.namespace}:trimtab-pipelines" in message
    assert jobs(stage) == []
    key = stage.again()["claim"]["key"]
    objects.allow_trainer(stage.cluster, stage.namespace)
    stage.restart()
    stage.look_policy()
    assert [one["metadata"]["annotations"]["trimtab.dev/key"] for one in jobs(stage)] == [key]
    assert told(stage.again(), "Ready")[0] == "True"


def test_a_failed_run_and_a_refused_model_stand_in_the_history_in_their_own_words(stage: "Stage") -> None:
    begin(
        stage,
        guards={"cooldown": "1h", "maxPerDay": 20, "rearm": {"newLabelledShare": "0", "minInterval": "0s"}},
    )
    open_episode(stage, "drift")
    stage.look_policy()
    end(stage, jobs(stage)[0], ended(failed="there is no table s3://x; see sources"), code=2)
    stage.look_policy()
    first = stage.again()["history"][0]
    assert (first["outcome"], first["cause"]) == ("Failed", "drift")
    assert "no table s3://x" in first["because"]
    assert told(stage.again(), "CircuitOpen")[0] == "False"


def test_a_run_whose_pods_are_refused_says_why_in_the_policys_condition(stage: "Stage") -> None:
    begin(stage)
    open_episode(stage)
    stage.look_policy()
    (job,) = jobs(stage)
    said = 'pods "x" is forbidden: exceeded quota: small, requested: pods=1'
    about = {key: job[key] for key in ("apiVersion", "kind")} | {
        key: job["metadata"][key] for key in ("name", "namespace")
    }
    at = datetime.now(UTC)
    stage.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "refused", "namespace": stage.namespace},
            "involvedObject": about,
            "reason": "FailedCreate",
            "message": f"Error creating: {said}",
            "type": "Warning",
            "lastTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    stage.clock.advance(at + timedelta(minutes=2))
    stage.look_policy()
    status, _, message = told(stage.again(), "Running")
    assert status == "True"
    assert f"its pods cannot be made: Error creating: {said}; lower spec.pipeline.job" in message
    (job,) = jobs(stage)
    assert said in job["metadata"]["annotations"]["trimtab.dev/hindered"]
    assert told(stage.again(), "Ready")[0] == "True"


def test_suspended_it_starts_nothing_and_goes_on_when_resumed(stage: "Stage") -> None:
    begin(stage, suspend=True)
    assert told(stage.again(), "Ready")[:2] == ("False", "Suspended")
    open_episode(stage)
    stage.look_policy()
    assert jobs(stage) == []
    stage.cluster.merge(RETRAIN_POLICY, stage.namespace, "again", {"spec": {"suspend": False}})
    stage.look_policy()
    assert len(jobs(stage)) == 1


def test_what_it_names_is_waited_for(stage: "Stage") -> None:
    stage.create(objects.policy(stage.namespace))
    assert stage.look_policy() is None
    assert told(stage.again(), "Ready")[1] == "MonitorNotFound"
    assert "'watch'" in told(stage.again(), "Ready")[2]
    stage.create(objects.monitor(stage.namespace))
    stage.look_policy()
    assert told(stage.again(), "Ready")[1] == "RolloutNotFound"
    stage.create(objects.rollout(stage.namespace, "flights", stage.model))
    stage.look_policy()
    assert told(stage.again(), "Ready")[:2] == ("True", "Watching")


@pytest.mark.parametrize(
    ("provider", "reason"), [("elsewhere", "ProviderUnknown"), ("unplugged", "Hindered")]
)
def test_a_pipelines_server_that_is_unknown_or_away_is_told(
    stage: "Stage", provider: str, reason: str
) -> None:
    project = "s3://models/flights-" + "0" * 64 + ".tar.gz"
    begin(stage, pipeline={"providerRef": provider, "name": "flights", "project": project})
    open_episode(stage)
    stage.look_policy()
    assert told(stage.again(), "Ready")[:2] == ("False", reason)
    assert jobs(stage) == []


@pytest.mark.parametrize(
    "garbage",
    [
        {"since": "yesterday"},
        {"claim": {"key": "x", "outcome": "Running"}},
        {"history": [{"outcome": "Weather"}], "waiting": "ünï\u202ecode"},
        {"current": {"runId": "x"}, "conditions": []},
    ],
    ids=["time", "claim", "history", "published"],
)
def test_a_garbage_status_stops_nothing_and_starts_nothing_twice(stage: "Stage", garbage: Json) -> None:
    begin(stage)
    open_episode(stage)
    stage.look_policy()
    assert len(jobs(stage)) == 1
    held = stage.cluster.get(RETRAIN_POLICY, stage.namespace, "again")
    assert held is not None
    stage.cluster.write_status({**held, "status": garbage})
    stage.look_policy()
    assert len(jobs(stage)) == 1
    assert stage.again()["claim"]["key"] == jobs(stage)[0]["metadata"]["annotations"]["trimtab.dev/key"]
    assert told(stage.again(), "Ready")[0] == "True"


def test_a_rollout_with_a_garbage_status_is_one_that_serves_nothing_yet(stage: "Stage") -> None:
    begin(stage)
    held = stage.cluster.get(MODEL_ROLLOUT, stage.namespace, "flights")
    assert held is not None
    stage.cluster.write_status({**held, "status": {"phase": "Weather", "stable": {"revision": "x"}}})
    stage.look()
    stage.look_policy()
    assert told(stage.watch(), "Ready")[:2] == ("False", "NothingServes")
    assert told(stage.again(), "Ready")[0] == "True"


def test_a_name_at_the_limit_makes_a_job(stage: "Stage") -> None:
    long = "p" * 63
    begin(stage)
    stage.create(objects.policy(stage.namespace, long))
    stage.look_policy(long)
    open_episode(stage)
    stage.look_policy(long)
    (job,) = jobs(stage)
    assert job["metadata"]["labels"]["trimtab.dev/policy"] == long

"""Runs on a Kubeflow Pipelines server: found by key, created at least once, one of them takes effect."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.claims import InClusterClaims
from trimtab.adapters.kfp_server import KfpProvider, KfpServerRuns
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Effect
from trimtab.ports.runs import Run, RunState
from trimtab.retrain import run_key

KEY = run_key("a", "b", 1)
UNTIL = {"until": "2013-07-01T00:00:00+00:00"}
EFFECT = Effect("3", True, True, "log_loss 0.5", datetime(2013, 7, 1, tzinfo=UTC), 4000)
PIPELINE = Pipeline.model_validate(
    {
        "providerRef": "kubeflow",
        "name": "flights-training",
        "project": "s3://projects/flights-0123456789abcdef.tar.gz",
        "parameters": [{"name": "window", "value": "90d"}],
    }
)
EPISODES = 200
LESS_THAN_SLOW_S = 2.0
"""Half of what a slow answer of the API takes here: so are the other calls of the same client given time."""


@pytest.fixture
def api() -> Iterator[Any]:
    from tests.cluster.control_plane.runs.kfp_api import KfpApi, serving

    with serving(KfpApi(pipelines={"flights-training": "p1"})) as served:
        yield served


@pytest.fixture
def runs(api: Any, cluster: Any, namespace: str) -> Callable[..., KfpServerRuns]:
    def make(**changes: Any) -> KfpServerRuns:
        provider = KfpProvider(api.url, **{"timeout_s": 10.0, **changes})
        return KfpServerRuns(
            provider, cluster, namespace, "flights", PIPELINE, parameters=lambda: {"stable": "2"}
        )

    return make


@pytest.fixture
def claims(control_plane: Any, namespace: str, account: Path) -> InClusterClaims:
    return InClusterClaims(namespace, control_plane.url, account)


def test_a_run_is_created_once_with_all_that_the_pipeline_wants(
    runs: Callable[..., KfpServerRuns], api: Any, namespace: str
) -> None:
    assert runs().find(KEY) is None
    started = runs().start(KEY, UNTIL)
    assert started.state is RunState.PENDING
    assert runs().start(KEY, UNTIL) == started == runs().find(KEY)
    (run,) = api.runs.values()
    assert run.runtime_config.parameters == {
        "project": PIPELINE.project, "key": KEY, "claims": namespace, "window": "90d", "stable": "2", **UNTIL
    }  # fmt: skip
    assert run.service_account == "trimtab-pipelines"
    assert run.display_name == f"flights-{KEY[:16]}"
    (experiment,) = api.experiments.values()
    assert experiment.namespace == namespace


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("PENDING", RunState.PENDING),
        ("RUNNING", RunState.RUNNING),
        ("PAUSED", RunState.RUNNING),
        ("CANCELING", RunState.RUNNING),
        ("SKIPPED", RunState.FAILED),
        ("SUCCEEDED", RunState.FAILED),
        ("FAILED", RunState.FAILED),
        ("CANCELED", RunState.FAILED),
        (None, RunState.PENDING),
    ],
)
def test_each_state_of_the_server_is_told(
    runs: Callable[..., KfpServerRuns], api: Any, state: str | None, seen: RunState
) -> None:
    """A run that ends with nothing registered has failed, whatever the server calls it."""
    started = runs().start(KEY, UNTIL)
    api.runs[started.id].state = state
    found = runs().find(KEY)
    assert found is not None
    assert found.state is seen
    assert bool(found.because) == (seen is RunState.FAILED)


def test_a_failed_step_is_told_by_name(runs: Callable[..., KfpServerRuns], api: Any) -> None:
    started = runs().start(KEY, UNTIL)
    api.end(started.id, "FAILED", "expectations do not hold:\n rows < 10", step="validate")
    found = runs().find(KEY)
    assert found is not None
    assert found.because == "step 'validate' failed: expectations do not hold: rows < 10"


def test_what_a_run_registered_is_read_from_its_claim_and_outlives_its_row(
    runs: Callable[..., KfpServerRuns], api: Any, claims: InClusterClaims
) -> None:
    started = runs().start(KEY, UNTIL)
    claims.take(KEY, started.id)
    claims.settle(KEY, started.id, EFFECT)
    api.runs.clear()
    assert runs().find(KEY) == Run(
        started.id, KEY, RunState.SUCCEEDED, "3", True, EFFECT.because, EFFECT.until, 4000
    )
    assert runs().start(KEY, UNTIL).version == "3"
    assert api.runs == {}


def test_of_two_runs_the_holder_of_the_claim_counts_and_the_other_is_ended(
    runs: Callable[..., KfpServerRuns], api: Any, claims: InClusterClaims
) -> None:
    api.faults["POST /runs"] = ["twice"]
    runs().start(KEY, UNTIL)
    first, second = api.workflows
    runs().tend(KEY)
    assert [run.state for run in api.runs.values()] == ["PENDING", "PENDING"]
    claims.take(KEY, second)
    runs().tend(KEY)
    runs().tend(KEY)
    assert [api.runs[identity].state for identity in (first, second)] == ["CANCELING", "PENDING"]
    assert api.calls.count(f"POST /runs/{first}:terminate") == 1
    found = runs().find(KEY)
    assert found is not None
    assert found.id == second
    runs().end(KEY)
    assert api.runs[second].state == "CANCELING"


def test_a_create_whose_answer_was_lost_is_found_and_not_made_again(
    runs: Callable[..., KfpServerRuns], api: Any
) -> None:
    api.faults["POST /runs"] = ["lost"]
    with pytest.raises(SurroundingsFailed, match="does not answer"):
        runs().start(KEY, UNTIL)
    assert runs().start(KEY, UNTIL).id == api.workflows[0]
    assert len(api.workflows) == 1


def test_a_create_that_times_out_is_found_once_it_took_effect(
    runs: Callable[..., KfpServerRuns], api: Any
) -> None:
    from tests.cluster.kube.poll import eventually

    api.faults["POST /runs"] = ["slow"]
    for _ in range(5):
        if not api.faults["POST /runs"]:
            break  # what comes before it may time out on a busy machine
        with pytest.raises(SurroundingsFailed, match="timed out"):
            runs(timeout_s=LESS_THAN_SLOW_S).start(KEY, UNTIL)
    eventually("it took effect", lambda: bool(api.runs))
    assert runs().start(KEY, UNTIL).id == api.workflows[0]


def test_a_workflow_without_a_row_may_hold_the_claim_and_is_waited_for(
    runs: Callable[..., KfpServerRuns], api: Any, claims: InClusterClaims, cluster: Any, namespace: str
) -> None:
    api.faults["POST /runs"] = ["unlisted"]
    with pytest.raises(SurroundingsFailed, match="database is locked"):
        runs().start(KEY, UNTIL)
    second = runs().start(KEY, UNTIL).id
    hidden = api.workflows[0]
    claims.take(KEY, hidden)
    runs().tend(KEY)
    assert api.runs[second].state == "CANCELING"
    found = runs().find(KEY)
    assert found is not None
    assert (found.id, found.state) == (hidden, RunState.RUNNING)
    later = KfpServerRuns(
        KfpProvider(api.url), cluster, namespace, "flights", PIPELINE,
        now=lambda: datetime.now(UTC) + timedelta(days=2),
    )  # fmt: skip
    lost = later.find(KEY)
    assert lost is not None
    assert lost.state is RunState.FAILED
    assert hidden in lost.because


@pytest.mark.parametrize("fault", ["500", "slow"])
def test_a_server_in_trouble_is_told_within_its_timeout(
    runs: Callable[..., KfpServerRuns], api: Any, fault: str
) -> None:
    api.faults["GET /experiments"] = [fault, fault]
    with pytest.raises(SurroundingsFailed, match="Kubeflow Pipelines at") as failed:
        runs(timeout_s=LESS_THAN_SLOW_S).find(KEY)
    assert failed.value.remedy


def test_a_token_is_read_anew_for_each_call(
    runs: Callable[..., KfpServerRuns], api: Any, tmp_path: Path
) -> None:
    api.token, token = "t2", tmp_path / "token"
    token.write_text("t1")
    mine = runs(token_file=token)
    with pytest.raises(SurroundingsFailed, match="401: Request header error") as failed:
        mine.find(KEY)
    assert "tokenFile" in str(failed.value.remedy)
    token.write_text("t2\n")
    assert mine.find(KEY) is None


def test_a_pipeline_that_is_not_there_is_named_with_what_to_do(
    runs: Callable[..., KfpServerRuns], api: Any
) -> None:
    api.pipelines.clear()
    with pytest.raises(InputRefused, match="no pipeline 'flights-training'") as refused:
        runs().start(KEY, UNTIL)
    assert "trimtab pipeline compile" in str(refused.value.remedy)


def test_a_parameter_that_the_pipeline_does_not_have_is_told(api: Any, cluster: Any, namespace: str) -> None:
    wrong = PIPELINE.model_dump(by_alias=True) | {"parameters": [{"name": "windw", "value": "1d"}]}
    runs = KfpServerRuns(KfpProvider(api.url), cluster, namespace, "flights", Pipeline.model_validate(wrong))
    with pytest.raises(InputRefused, match="400: parameter windw is not in the pipeline"):
        runs.start(KEY, UNTIL | {"stable": ""})


def test_runs_of_a_key_are_found_past_the_first_page(
    runs: Callable[..., KfpServerRuns], api: Any, claims: InClusterClaims
) -> None:
    api.page = 1
    api.faults["POST /runs"] = ["twice"]
    runs().start(KEY, UNTIL)
    claims.take(KEY, api.workflows[1])
    found = runs().find(KEY)
    assert found is not None
    assert found.id == api.workflows[1]


def test_a_server_for_one_user_keeps_runs_and_claims_in_its_namespace(
    runs: Callable[..., KfpServerRuns], api: Any, namespace: str
) -> None:
    runs(namespace=namespace).start(KEY, UNTIL)
    (experiment,) = api.experiments.values()
    assert experiment.namespace is None


def test_one_run_takes_effect_in_each_episode_whatever_the_server_does(
    api: Any, cluster: Any, namespace: str, claims: InClusterClaims
) -> None:
    """Seeded: creates that fail, hang, double or lose their row; the operator is new at each look."""
    surplus = 0
    for seed in range(EPISODES):
        draw, key = random.Random(seed), run_key("flights", "episode", seed)
        before = len(api.workflows)
        api.faults["POST /runs"] = draw.choices(
            ["500", "lost", "twice", "unlisted", ""], k=draw.randint(0, 3)
        )
        effects: list[str] = []
        for _ in range(12):
            operator = KfpServerRuns(
                KfpProvider(api.url, timeout_s=2), cluster, namespace, "flights", PIPELINE
            )
            try:
                found = operator.start(key, UNTIL)
                operator.tend(key)
            except SurroundingsFailed:
                continue
            if found.state is RunState.SUCCEEDED:
                break
            mine = api.workflows[before:]
            alive = [one for one in mine if one not in api.runs or api.runs[one].state == "PENDING"]
            if alive:
                work(draw.choice(alive), key, claims, api, effects)
        assert found.state is RunState.SUCCEEDED, f"seed {seed}: {found}"
        assert effects == [found.id], f"seed {seed}"
        surplus += len(api.workflows) - before - 1
        api.runs.clear()
    assert surplus > EPISODES / 10


def work(identity: str, key: str, claims: InClusterClaims, api: Any, effects: list[str]) -> None:
    """One workflow, to its end."""
    if claims.take(key, identity).run == identity:
        effects.append(identity)
        claims.settle(key, identity, EFFECT)
    if identity in api.runs:
        api.end(identity, "SUCCEEDED")

"""One key, one run that takes effect: claims as ConfigMaps of a real API server."""

import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane.runs.conftest import PIPELINES
from tests.cluster.control_plane.runs.shelf import Killed, Mortal, OnShelf, Shelf
from trimtab.adapters.claims import InClusterClaims, delete_claim, read_claim
from trimtab.adapters.claims.config_map import CONFIG_MAP
from trimtab.api.errors import AnswerIsNo, InputRefused, SurroundingsFailed
from trimtab.ports.claims import Effect
from trimtab.ports.cluster import Refused
from trimtab.retrain import run_key
from trimtab.steps.model_folder import ModelFolder
from trimtab.steps.register import Holder, register_once

KEY = run_key("a", "b", 1)
BUNDLE = f"s3://bundles/flights-{'e' * 64}.tar.gz"
UNTIL = datetime(2013, 7, 1, tzinfo=UTC)
EFFECT = Effect("3", True, True, "log_loss 0.5", UNTIL, 4000)
SEEDS, RUNS = 200, 3


@pytest.fixture
def claims(control_plane: Any, namespace: str, account: Path) -> InClusterClaims:
    return InClusterClaims(namespace, control_plane.url, account)


def test_the_first_run_holds_the_claim_for_good(claims: InClusterClaims) -> None:
    assert claims.take(KEY, "one").run == "one"
    assert claims.take(KEY, "two").run == "one"
    assert claims.take(KEY, "one").run == "one"


def test_the_operator_reads_what_the_holder_registered_and_nobody_else_writes_it(
    claims: InClusterClaims, cluster: Any, namespace: str
) -> None:
    assert read_claim(cluster, namespace, KEY) is None
    claims.take(KEY, "one")
    claims.settle(KEY, "two", replace(EFFECT, version="9"))
    held = read_claim(cluster, namespace, KEY)
    assert held is not None
    assert held.effect is None
    claims.settle(KEY, "one", EFFECT)
    claims.settle(KEY, "one", EFFECT)
    held = read_claim(cluster, namespace, KEY)
    assert held is not None
    assert held.effect == EFFECT
    assert claims.take(KEY, "one").effect == EFFECT


def test_a_claim_goes_with_the_policy_whose_job_made_it(
    control_plane: Any, cluster: Any, namespace: str, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.jobs.job import job_of
    from trimtab.api.resources.retrain import JobTemplate, Pipeline
    from trimtab.bootstrap.parameters import owner_of_claims

    job = JobTemplate.model_validate({"image": "x"})
    pipeline = Pipeline.model_validate({"project": BUNDLE, "job": {"image": "x"}})
    made = cluster.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "policy", "namespace": namespace}}
    )
    env = job_of("p", namespace, KEY, pipeline, job, {}, {}, made)["spec"]["template"]["spec"]["containers"][
        0
    ]
    told = {one["name"]: one.get("value", "") for one in env["env"]}
    monkeypatch.setenv("TRIMTAB_OWNER", told["TRIMTAB_OWNER"])
    claims = InClusterClaims(namespace, control_plane.url, account, owner=owner_of_claims())
    claims.take(KEY, "one")
    claims.settle(KEY, "one", EFFECT)
    held = cluster.read(CONFIG_MAP, namespace, f"trimtab-claim-{KEY}")
    assert [one["uid"] for one in held["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]


def test_a_year_of_episodes_leaves_as_many_claims_as_the_history_has_lines(
    claims: InClusterClaims, cluster: Any, namespace: str
) -> None:
    from tests.unit.control.stage import Stage
    from tests.unit.control.test_retraining import EVENTS, Postbox, refused

    class Kept:
        def forget(self, key: str) -> None:
            delete_claim(cluster, namespace, key, PIPELINES)

    def ended(world: Any, key: str) -> Any:
        claims.take(key, "run")
        return refused(world, key)

    posts, hour = Postbox(), timedelta(hours=1)
    stage = Stage(retrain=EVENTS, posts=posts, run_makes=ended, remembered=Kept())
    stage.serve_first()
    stage.tick()
    for number in range(40):
        stage.world.clock.by(25 * hour)
        posts.post(str(number), stage.world.clock.now())
        stage.until(lambda s, made=number + 1: len(s.world.runs_made) == made, days=3, step=hour)
        stage.tick()
    assert len(stage.world.runs_made) == 40
    left = {
        one["data"]["key"] for one in cluster.list(CONFIG_MAP, namespace, {}) if "key" in one.get("data", {})
    }
    assert left == {one.key for one in stage.loop.retrain.status.attempts}
    assert len(left) == 20


def test_a_claim_that_is_gone_is_as_good_as_deleted_and_one_who_may_not_is_refused(
    claims: InClusterClaims, cluster: Any, namespace: str
) -> None:
    delete_claim(cluster, namespace, KEY, PIPELINES)
    claims.take(KEY, "one")
    with pytest.raises(Refused, match="cannot delete"):
        delete_claim(cluster, namespace, KEY, "default")
    delete_claim(cluster, namespace, KEY, PIPELINES)
    assert read_claim(cluster, namespace, KEY) is None


def test_an_account_that_may_not_is_told_what_to_allow(
    control_plane: Any, namespace: str, mount: Any
) -> None:
    with pytest.raises(InputRefused, match="refuses to create ConfigMap") as refused:
        InClusterClaims(namespace, control_plane.url, mount("default")).take(KEY, "one")
    assert refused.value.remedy is not None
    assert "create, get and update configmaps" in refused.value.remedy


def test_an_api_server_that_does_not_answer_is_asked_again_and_then_told(
    namespace: str, account: Path
) -> None:
    pauses: list[float] = []
    with pytest.raises(SurroundingsFailed, match="does not answer"):
        InClusterClaims(namespace, "https://127.0.0.1:1", account, pauses.append).take(KEY, "one")
    assert pauses == [0.2, 1.0, 3.0, 10.0]


def test_a_claim_that_somebody_overwrote_is_told_by_name(
    claims: InClusterClaims, cluster: Any, namespace: str
) -> None:
    claims.take(KEY, "one")
    cluster.merge(CONFIG_MAP, namespace, f"trimtab-claim-{KEY}", {"data": {"effect": "{}"}})
    with pytest.raises(SurroundingsFailed, match=f"trimtab-claim-{KEY} is no claim"):
        read_claim(cluster, namespace, KEY)


def test_a_key_that_is_none_is_refused(claims: InClusterClaims) -> None:
    with pytest.raises(InputRefused, match="no key"):
        claims.take("../secrets", "one")


def test_a_task_claims_with_what_its_pod_finds(
    control_plane: Any, namespace: str, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import urlsplit

    from trimtab.adapters.kubernetes import in_pod
    from trimtab.bootstrap import component

    address = urlsplit(control_plane.url)
    monkeypatch.setattr(in_pod, "ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(address.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
    assert component.admit(KEY, namespace, "one")
    assert not component.admit(KEY, namespace, "two")
    monkeypatch.setenv("TRIMTAB_RUN", "one")  # a Job's second pod
    assert component.admit(KEY, namespace, "three")


def test_an_engine_that_does_not_fill_in_the_runs_id_is_refused(namespace: str) -> None:
    from trimtab.bootstrap import component

    with pytest.raises(InputRefused, match="in place of the run's id"):
        component.admit(KEY, namespace, "{{$.pipeline_job_uuid}}")


def test_where_nothing_is_claimed_every_run_is_admitted() -> None:
    from trimtab.bootstrap import component

    assert component.admit("", "", "one")
    assert component.admit("any key", "", "two")


def run(
    identity: str, key: str, claims: InClusterClaims, shelf: Shelf, draw: random.Random, again: int
) -> None:
    """One run with its own model: admit, train, register; killed somewhere, started again as a Job does."""
    folder = ModelFolder(Path(f"/models/{identity}"), identity.rjust(64, "0"), {"trimtab.rows": 7})
    for life in range(again + 1):
        fuse = [draw.randint(1, 24) if life < 2 else 0]
        mortal = Mortal(claims, fuse)
        try:
            if mortal.take(key, identity).run != identity:
                return
            holder, registry = Holder(mortal, key, identity), Mortal(OnShelf(shelf, identity), fuse)
            register_once(holder, registry, "flights", folder, UNTIL, passed=True, because="good")
            return
        except AnswerIsNo:
            return
        except Killed:
            continue


@pytest.mark.parametrize("again", [2, 0], ids=["started again", "killed for good"])
def test_of_all_runs_of_a_key_one_takes_effect_wherever_they_are_killed(
    claims: InClusterClaims, cluster: Any, namespace: str, again: int
) -> None:
    effects, kills = 0, 0
    for seed in range(SEEDS):
        key, shelf = run_key("flights", f"episode {again}", seed), Shelf()
        threads = []
        for number in range(RUNS):
            draw, identity = random.Random(f"{seed}/{number}"), f"{seed}a{number}"
            threads.append(threading.Thread(target=run, args=(identity, key, claims, shelf, draw, again)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        movers = {who for who, _ in shelf.candidate}
        claim = read_claim(cluster, namespace, key)
        assert len(movers) <= 1, f"seed {seed}: {shelf.candidate}"
        assert len(shelf.held) <= 1, f"seed {seed}: {shelf.held}"
        assert not movers or (claim is not None and movers == {claim.run})
        if again:
            assert claim is not None
            assert claim.effect is not None, f"seed {seed}"
            assert claim.effect.version == shelf.candidate[-1][1]
        effects += bool(movers)
        kills += claim is None or claim.effect is None
    assert effects == SEEDS if again else effects < SEEDS
    assert kills == 0 if again else kills > 0

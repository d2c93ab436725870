"""A ModelRollout by the operator, KServe's controller and Envoy Gateway: real pods, real models, a constant load."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.conftest import Volume
from tests.cluster.node.shares import Note, assert_share
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.load_run import Ended, RunningLoad
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models
    from tests.cluster.node.operating import Operator
    from tests.cluster.node.rollouts import Rollout

RATE = 300
LONG = "10m"


@pytest.fixture
def operator(kserve: "Node", gateway: "Gateway", namespace: str, tmp_path: Path) -> "Iterator[Operator]":
    """One that looks after the test's namespace."""
    from tests.cluster.node import operating

    operating.install_kinds(kserve)
    running = operating.start(kserve, tmp_path, namespace)
    yield running
    running.stop()


@pytest.fixture
def rollout(
    kserve: "Node", namespace: str, volume: Volume, models: "Models", operator: "Operator"
) -> "Rollout":
    """Of the test's namespace; not begun."""
    from tests.cluster.node.rollouts import Rollout, surroundings

    volume("models", models.folder)
    kserve.apply(*surroundings(namespace))
    return Rollout(kserve, namespace)


def begin(rollout: "Rollout", models: "Models", **more: Any) -> str:
    """Let v1 be served; its revision."""
    from tests.cluster.node import rollouts

    wished = rollouts.model(models, "v1")
    rollout.node.cluster.create(rollouts.rollout(rollout.namespace, wished, **more))
    rollout.eventually("v1 is served", lambda: rollout.is_ready() and rollout.serves_alone("1"))
    return rollout.revision()


def test_v2_takes_over_by_shadow_and_canary_and_is_undone_and_no_request_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models", record_property: Note
) -> None:
    from tests.cluster.node.rollouts import model

    v1 = begin(rollout, models, keep_previous=LONG)
    load = start_load(gateway, rollout, models)
    rollout.wish(model(models, "v2"))
    rollout.eventually("the shadow", lambda: rollout.flows("shadow"))
    v2 = rollout.revision("candidate")
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
    assert_no_failure(ended)
    assert set(ended.revisions) == {v1, v2}


def test_a_candidate_that_crashes_is_rolled_back_and_no_request_fails(
    gateway: "Gateway", rollout: "Rollout", models: "Models"
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
    assert_no_failure(ended)
    assert set(ended.revisions) == {v1}


def test_a_folder_that_is_not_the_registered_one_never_gets_a_request(
    gateway: "Gateway", rollout: "Rollout", models: "Models"
) -> None:
    from tests.cluster.node.rollouts import model

    v1 = begin(rollout, models)
    load = start_load(gateway, rollout, models)
    rollout.wish({**model(models, "v2"), "digest": "0" * 64})
    rollout.eventually("the candidate is rejected", lambda: rejected(rollout))
    rollout.eventually("v1 is alone", lambda: rollout.serves_alone("1") and set(rollout.servers()) == {v1})
    ended = load.stop()
    assert_no_failure(ended)
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
    assert_no_failure(load.stop())


def start_load(gateway: "Gateway", rollout: "Rollout", models: "Models") -> "RunningLoad":
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.node.served import MODEL, host

    url = f"http://{gateway.address}/v2/models/{MODEL}/infer"
    return RunningLoad(rollout.node, url, host=host(rollout.namespace), bodies=models.requests, rate=RATE)


def measured(
    gateway: "Gateway",
    rollout: "Rollout",
    note: Note,
    seconds: float,
    *,
    candidate: int = 0,
    mirror: int = 0,
) -> None:
    """Compare what the proxies count in a step with what was wished."""
    from tests.cluster.kube.poll import eventually

    before, sent = counted(gateway, rollout), int(RATE * seconds)
    eventually("enough requests", lambda: total(counted(gateway, rollout)) - total(before) >= sent, 60, 0.5)
    after = counted(gateway, rollout)
    moved = {name: count - before.get(name, 0) for name, count in after.items()}
    step = rollout.step()
    if candidate:
        to_candidate = moved.get(rollout.revision("candidate"), 0)
        assert_share(note, f"{step}: answered by the candidate", to_candidate, total(moved), candidate)
    if mirror:
        assert_share(note, f"{step}: copied to the candidate", moved["mirror"], total(moved), mirror)


def counted(gateway: "Gateway", rollout: "Rollout") -> dict[str, int]:
    """Requests by revision, and copies, as the proxies counted them."""
    from tests.cluster.node.served import MODEL
    from trimtab.adapters.children import REVISION

    copies = gateway.mirrored(rollout.namespace, f"{MODEL}-trimtab")
    by_pod = gateway.sent(rollout.namespace, f"{MODEL}-trimtab")
    found: dict[str, int] = {"mirror": copies}
    for pod in rollout.node.list("pods", rollout.namespace, REVISION):
        revision = pod["metadata"]["labels"][REVISION]
        found[revision] = found.get(revision, 0) + by_pod.get(pod["status"].get("podIP", ""), 0)
    return found


def total(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name != "mirror")


def answered_by(load: "RunningLoad", revisions: set[str], seconds: int = 2) -> None:
    """Wait for so many whole seconds in which these and no others answered."""
    from tests.cluster.kube.poll import eventually

    at = len(load.seconds)

    def alone() -> bool:
        newest = load.seconds[at:][-seconds:]
        return len(newest) == seconds and all(set(one["revisions"]) == revisions for one in newest)

    eventually(f"{revisions} answer alone", alone, 30)


def assert_no_failure(ended: "Ended") -> None:
    assert not ended.failed, ended.failures[:5]
    assert ended.sent >= 0.95 * RATE * ended.elapsed_s


def rejected(rollout: "Rollout") -> dict[str, str]:
    """Why a revision stays out."""
    return {one["revision"]: one["because"] for one in rollout.status.get("rejected", ())}


def kill(revision: str) -> None:
    """End a revision's model servers as a fault of memory would."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--revision={revision}\0" in command.read_text():
                os.kill(int(command.parent.name), signal.SIGKILL)


def scale(rollout: "Rollout", revision: str, replicas: int) -> None:
    """As somebody who wants to save a server."""
    name = rollout.servers()[revision]["metadata"]["name"]
    rollout.node.cluster.merge(
        INFERENCE_SERVICE, rollout.namespace, name, {"spec": {"predictor": {"minReplicas": replicas}}}
    )


def least(rollout: "Rollout", revision: str) -> int:
    found: int = rollout.servers()[revision]["spec"]["predictor"]["minReplicas"]
    return found

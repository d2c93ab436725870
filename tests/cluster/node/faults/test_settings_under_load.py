"""A whole life under a constant load in each setting of the fault table: no request fails.

The candidate stands at half, an autoscaler takes one of stable's servers away, a person aborts; tries again, lets it
be promoted, undoes it, and deletes the rollout.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.node.shares import Note
from tests.cluster.node.under_load import LONG, answered_by, assert_no_failure, measured

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.cluster.fault_table import Row
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.load_run import RunningLoad
    from tests.cluster.kube.node import Node
    from tests.cluster.node.conftest import Volume
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout

pytestmark = pytest.mark.xdist_group("node")
LABEL = "metadata.labels['trimtab.dev/revision']"
STEPS: list[dict[str, Any]] = [
    {"name": "shadow", "shadow": {"percent": 30}, "until": {"minDuration": "5s"}},
    {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "5s"}},
    {"name": "sign-off", "approval": {}},
]
SETTINGS = {"own server": 300, "Serverless default": 300, "transformer": 40, "stock sklearn and agent": 60}
"""Requests a second: KServe's SDK in Python answers, and an agent tells, in two of them."""


@pytest.fixture
def models_at_hand(
    operator: "Node", namespace: str, volume: "Volume", models: "Models", estimators: Path
) -> "Rollout":
    """Of the test's namespace, with models for every setting; not begun."""
    from tests.cluster.node.rollouts import Rollout, surroundings

    volume("models", models.folder)
    volume("estimators", estimators)
    operator.apply(*surroundings(namespace))
    return Rollout(operator, namespace)


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_request_fails_whatever_a_person_and_an_autoscaler_do(
    setting: str,
    gateway: "Gateway",
    models_at_hand: "Rollout",
    models: "Models",
    record_property: Note,
    fault: "Row",
    tmp_path: Path,
) -> None:
    fault.says(
        "rollout, stable's autoscaler scales in, abort, retry, undo, delete; through Envoy Gateway, KServe's manager",
        "0 failed requests",
        setting,
    )
    life = Life(setting, models_at_hand, models, gateway, record_property)
    with life.mode(), life.load(tmp_path) as load:
        life.aborted(load)
        life.promoted_and_undone(load)
        life.deleted(load)
    ended = load.wait()
    assert_no_failure(ended, record_property, life.rate)
    assert set(ended.revisions) == life.answers


class Life:
    """One rollout's."""

    def __init__(
        self, setting: str, rollout: "Rollout", models: "Models", gateway: "Gateway", note: Note
    ) -> None:
        self.setting, self.rollout, self.models, self.gateway, self.note = (
            setting,
            rollout,
            models,
            gateway,
            note,
        )
        self.rate = SETTINGS[setting]
        self.entry = "transformer" if setting == "transformer" else "predictor"
        self.stock = setting == "stock sklearn and agent"
        self.answers: set[str] = set()

    def mode(self) -> "AbstractContextManager[None]":
        from tests.cluster.kube import node_kserve

        serverless = self.setting == "Serverless default"
        return node_kserve.shipped_mode(self.rollout.node) if serverless else nullcontext()

    @contextmanager
    def load(self, folder: Path) -> "Iterator[RunningLoad]":
        """Version 1 is served by two servers and asked all the time."""
        from tests.cluster.node import under_load

        self.rollout.node.cluster.create(self.manifest())
        self.rollout.eventually("version 1 is served", lambda: self.rollout.serves_alone("1"), 180)
        self.first = self.rollout.revision()
        self.rollout.eventually("by two servers", lambda: self.servers() == 2)
        if self.stock:
            from tests.cluster.node.test_stock_runtime import start

            running = start(self.gateway, self.rollout, folder, self.rate)
        else:
            running = under_load.start_load(self.gateway, self.rollout, self.models, rate=self.rate)
        yield running
        running.stop()

    def manifest(self) -> dict[str, Any]:
        from tests.cluster.kube.images import TRANSFORMER
        from tests.cluster.kube.node_kserve import RUNTIME
        from tests.cluster.node import rollouts

        transformer = {
            "name": "kserve-container",
            "image": TRANSFORMER,
            "args": ["--predictor_protocol=v2"],
            "env": [{"name": "REVISION", "valueFrom": {"fieldRef": {"fieldPath": LABEL}}}],
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1},
        }
        return rollouts.rollout(
            self.rollout.namespace,
            self.model("1"),
            replicas=2,
            steps=STEPS,
            keep_previous=LONG,
            server=rollouts.predictor_of(RUNTIME, "sklearn", "v1") if self.stock else None,
            transformer=transformer if self.entry == "transformer" else None,
            autoscaler="hpa",
            in_cluster=True,
        )

    def model(self, version: str) -> dict[str, Any]:
        from tests.cluster.node import rollouts

        if self.stock:
            return {"uri": f"pvc://estimators/{version}", "version": version, "digest": version * 64}
        return rollouts.model(self.models, f"v{version}")

    def answer(self, revision: str, version: str) -> set[str]:
        """Who answers, as the load tells it."""
        found = {f"{version}.0"} if self.stock else {revision}
        self.answers |= found
        return found

    def at_half(self) -> str:
        """Until the candidate stands at half; its revision."""
        self.rollout.eventually("the sign-off", lambda: self.rollout.step() == "sign-off", 240)
        return self.rollout.revision("candidate")

    def aborted(self, load: "RunningLoad") -> None:
        self.rollout.wish(self.model("2"))
        self.second = self.at_half()
        measured(self.gateway, self.rollout, self.note, 4, candidate=50, rate=self.rate)
        self.asked_inside()
        self.scaled_in()
        self.rollout.order("abort", self.second)
        self.rollout.eventually("v1 is alone", lambda: self.rollout.serves_alone("1"))
        answered_by(load, self.answer(self.first, "1"))
        self.rollout.eventually("v2 is gone", lambda: set(self.rollout.servers()) == {self.first})
        self.rollout.eventually("stable has its servers again", lambda: self.servers() == 2)

    def promoted_and_undone(self, load: "RunningLoad") -> None:
        self.rollout.order("retry", self.second)
        assert self.at_half() == self.second
        self.rollout.order("approve", self.second, "sign-off")
        self.rollout.eventually("v2 is stable", lambda: self.rollout.serves_alone("2"))
        answered_by(load, self.answer(self.second, "2"))
        self.rollout.order("undo", self.second)
        self.rollout.eventually("v1 is stable again", lambda: self.rollout.serves_alone("1"))
        answered_by(load, self.answer(self.first, "1"))

    def deleted(self, load: "RunningLoad") -> None:
        self.rollout.delete()
        answered_by(load, self.answer(self.first, "1"), seconds=4)

    def scaled_in(self) -> None:
        """The autoscaler takes a server away, for a moment: KServe puts its bounds back, and a new one starts."""
        from tests.cluster.kube.poll import eventually
        from trimtab.ports.cluster import Kind

        autoscaler = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        name = f"{self.rollout.servers()[self.first]['metadata']['name']}-{self.entry}"
        bounds = {"spec": {"minReplicas": 1, "maxReplicas": 1}}

        def taken() -> bool:
            self.rollout.node.cluster.merge(autoscaler, self.rollout.namespace, name, bounds)
            return self.servers() == 1

        eventually("one of stable's servers goes", taken, 90)

    def servers(self) -> int:
        """Stable's that are to answer and do."""
        pods = self.rollout.node.list(
            "pods", self.rollout.namespace, f"trimtab.dev/revision={self.first},component={self.entry}"
        )
        return sum(is_ready(pod) for pod in pods)

    def asked_inside(self) -> None:
        """A pod that asks the in-cluster address is answered through the gateway: by both."""
        name = self.rollout.servers()[self.first]["metadata"]["name"]
        assert self.rollout.condition("InClusterAddress") == "True"
        (pod, *_) = self.rollout.node.list(
            "pods", self.rollout.namespace, f"app=isvc.{name}-predictor,component=predictor"
        )
        told = self.rollout.node.kubectl(
            "exec", "-n", self.rollout.namespace, pod["metadata"]["name"], "-c", "kserve-container", "--",
            "python3", "-c", ASKING, f"http://flights.{self.rollout.namespace}.svc", *self.question(),
        )  # fmt: skip
        answers = json.loads(told)
        assert len(answers) == 30
        assert len(set(answers)) == 2, answers

    def question(self) -> tuple[str, str]:
        """A path, and a body that both versions answer."""
        if self.stock:
            return "/v1/models/flights:predict", '{"instances": [[1.0]]}'
        return "/v2/models/flights/infer", json.dumps(json.loads(self.models.requests.read_text())[0])


ASKING = """
import json, sys, urllib.request
said = []
for _ in range(30):
    request = urllib.request.Request(sys.argv[1] + sys.argv[2], sys.argv[3].encode(),
                                     {"content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=20))
    said.append(answer.get("model_version") or str(answer["predictions"]))
print(json.dumps(said))
"""


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]

"""Many rollouts and monitors, players for what serves them, and one operator process whose cost can be read.

KServe's own manager would use most of a small machine for a thousand InferenceServices, so it is played; where a plane
has Kubernetes' own controllers and kwok's kubelet, the Deployments that it makes get real Pod objects.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import ProxyHandler, build_opener

from tests.cluster.control_plane.leases import LONG_LEASE
from tests.cluster.control_plane.operator.players import Players, served_models
from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from tests.cluster.kube.rbac import EVERYTHING, GROUP, grant
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.kserve.kinds import DEPLOYMENT, INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT
from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.ports.cluster import Kind, Object
from trimtab.ports.state import Conflict

if TYPE_CHECKING:
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.direct import Direct

REPOSITORY: Final = Path(__file__).parents[4]
AT_ONCE: Final = 4
SERIES: Final = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Cost:
    """What the operator had used at one moment.

    Attributes:
        cpu_s: before it was asked, and `answered_s` after it had answered: to write a thousand series is work too.
        looks: at resources, by kind.
        calls: of the API server, by (verb, resource, subresource).
    """

    cpu_s: float
    answered_s: float
    memory_bytes: int
    looks: Mapping[str, int]
    calls: Mapping[tuple[str, str, str], int]

    @property
    def looked(self) -> int:
        return sum(self.looks.values())

    def since(self, before: "Cost") -> "Cost":
        """What has come to it; memory stays what it is now."""
        spent = self.cpu_s - before.answered_s
        return Cost(
            spent,
            spent,
            self.memory_bytes,
            {kind: n - before.looks.get(kind, 0) for kind, n in self.looks.items()},
            {call: new for call, n in self.calls.items() if (new := n - before.calls.get(call, 0))},
        )

    def status_writes(self) -> int:
        return sum(n for (_, _, subresource), n in self.calls.items() if subresource == "status")


class Operator:
    """One operator process, as it is deployed, but with its memory and processor time in view."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._open = build_opener(ProxyHandler({})).open

    def cost(self) -> Cost:
        looks: dict[str, int] = {}
        calls: dict[tuple[str, str, str], int] = {}
        asked_s = self.process.cpu_s
        for name, labels, value in self._series():
            if name == "trimtab_reconciles_total":
                looks[labels["kind"]] = looks.get(labels["kind"], 0) + int(float(value))
            elif name == "trimtab_api_calls_total":
                call = labels["verb"], labels["resource"], labels["subresource"]
                calls[call] = calls.get(call, 0) + int(float(value))
        return Cost(asked_s, self.process.cpu_s, self.process.memory_bytes, looks, calls)

    def rested(self, within_s: float = 60.0, quiet_s: float = 1.5, share: float = 0.02) -> None:
        """Wait until it does nothing. Its metrics are not asked for: to write a thousand series is work too.

        Args:
            share: of a core that lease and polls may take meanwhile.
        """
        spent, since = self.process.cpu_s, time.monotonic()

        def quiet() -> bool:
            nonlocal spent, since
            now = self.process.cpu_s
            if now - spent > share * quiet_s:
                spent, since = now, time.monotonic()
            return time.monotonic() - since >= quiet_s

        eventually("the operator is at rest", quiet, within_s, every_s=0.2)

    def troubles(self) -> list[str]:
        """Warnings and errors that it logged."""
        lines = self.process.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if '"level": "warning"' in line or '"level": "error"' in line]

    def _series(self) -> Iterator[tuple[str, dict[str, str], str]]:
        port = eventually("the operator listens", self._port, 30.0)
        with self._open(f"http://127.0.0.1:{port}/metrics", timeout=10.0) as answer:
            text = answer.read().decode()
        for name, labels, value in SERIES.findall(text):
            yield name, dict(LABEL.findall(labels)), value

    def _port(self) -> str:
        self.process.check()
        found = re.search(
            r'"message": "listens", "port": (\d+)', self.process.log.read_text(encoding="utf-8")
        )
        return found[1] if found else ""


class Fleet:
    """Resources in some namespaces of a control plane, each with a player for its servers and its route.

    Args:
        folder: for the operator's configuration, cache and log.
        namespaces: that exist.
        pods: others make Pods of Deployments and say when they are available; else the player says so at once.
        registered: the first so many models come from the registry `models`; all others are pinned.
        every_s: how often the players and who waits list everything, which is work for the API server.
    """

    def __init__(
        self,
        plane: "ControlPlane",
        folder: Path,
        namespaces: Sequence[str],
        *,
        pods: bool = False,
        registered: int = 0,
        every_s: float = 0.5,
    ) -> None:
        self._plane, self._folder, self.namespaces = plane, folder, namespaces
        self._pods, self._registered, self._every_s = pods, registered, every_s
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._served: Any = None
        self._players: list[Busy] = []
        self._operators: list[Operator] = []
        self.port = 0

    def __enter__(self) -> "Fleet":
        self._served = served_models()
        self.port = self._served.__enter__()
        self._allow()
        self.play()
        return self

    def __exit__(self, *raised: object) -> None:
        for operator in self._operators:
            operator.process.stop()
        self.rest()
        self._served.__exit__(None, None, None)
        self._pool.shutdown()

    @property
    def cluster(self) -> "Direct":
        return self._plane.cluster

    def play(self) -> None:
        """Servers come up and routes are accepted."""
        self._players = [
            Busy(self.cluster, namespace, self._pods, self._every_s) for namespace in self.namespaces
        ]
        for player in self._players:
            player.start()

    def rest(self) -> None:
        """Nothing outside the operator moves."""
        for player in self._players:
            player.stop()
        self._players = []

    def operate(self, entry: Sequence[str] = ("-m", "operators.drift"), **settings: str) -> Operator:
        """Start an operator."""
        number = len(self._operators)
        config = self._folder / f"operator-{number}.yaml"
        lines = {
            "namespaces": f"[{', '.join(self.namespaces)}]",
            "lease": json.dumps({"namespace": self.namespaces[0], **LONG_LEASE}),
            "listen": "{host: 127.0.0.1, port: 0}",
            "settle": "1s",
            "cache": str(self._folder / "cache"),
            "collector": "{address: 'http://127.0.0.1:9'}",
            "services": f"'http://127.0.0.1:{self.port}/{{namespace}}/{{service}}'",
            **settings,
        }
        config.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), encoding="utf-8")
        argv = [sys.executable, *entry, "--config", config, "--kubeconfig", self._plane.kubeconfig]
        process = Process(
            "operator",
            argv,
            self._folder / f"operator-{number}.log",
            {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'src'}"},
        )
        process.start()
        self._operators.append(Operator(process))
        return self._operators[-1]

    def apply(self, rollouts: int, monitors: int) -> None:
        """That many, spread over the namespaces; the first rollouts have a monitor."""
        self._each(self.cluster.create, [self.rollout(number) for number in range(rollouts)])
        self._each(self.cluster.create, [self.monitor(number) for number in range(monitors)])

    def rollout(self, number: int, version: str = "1") -> dict[str, Any]:
        """A model that is pinned in the resource, or one of the registry's."""
        name = f"model-{number:04}"
        model: dict[str, Any] = {
            "uri": f"s3://models/{name}/{version}",
            "version": version,
            "digest": f"{version:0>64}",
        }
        if number < self._registered:
            model = {"registry": {"providerRef": "models", "name": name}}
        return {
            "apiVersion": "trimtab.dev/v1alpha1",
            "kind": "ModelRollout",
            "metadata": {"name": name, "namespace": self.namespace(number)},
            "spec": {
                "model": model,
                "modelName": name,
                "serviceAccountName": "default",
                "serving": {
                    "template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}
                },
                "route": {
                    "parentRefs": [{"name": "public", "namespace": "gateways"}],
                    "hostnames": ["models.example.com"],
                },
            },
        }

    def monitor(self, number: int) -> dict[str, Any]:
        name = f"model-{number:04}"
        return {
            "apiVersion": "trimtab.dev/v1alpha1",
            "kind": "DriftMonitor",
            "metadata": {"name": name, "namespace": self.namespace(number)},
            "spec": {"target": {"rolloutRef": name}, "window": {"length": "7d", "minRows": 1000}},
        }

    def namespace(self, number: int) -> str:
        return self.namespaces[number % len(self.namespaces)]

    def held(self, kind: Kind) -> list[Object]:
        return [one for namespace in self.namespaces for one in self.cluster.list(kind, namespace)]

    def with_condition(self, kind: Kind, type_: str = "Ready", status: str = "True") -> int:
        """How many of a kind have a condition."""
        return sum(
            any(one["type"] == type_ and one["status"] == status for one in conditions(held))
            for held in self.held(kind)
        )

    def nudge(self, round_: int) -> None:
        """Something changes under every rollout that means nothing: each is looked at."""
        patch = {"metadata": {"annotations": {"example.com/round": str(round_)}}}

        def touch(held: Object) -> None:
            metadata = held["metadata"]
            self.cluster.merge(DEPLOYMENT, metadata["namespace"], metadata["name"], patch)

        self._each(touch, self.held(DEPLOYMENT))

    def wait_ready(self, rollouts: int, within_s: float) -> None:
        eventually(
            f"{rollouts} rollouts are Ready",
            lambda: self.with_condition(MODEL_ROLLOUT) == rollouts,
            within_s,
            every_s=self._every_s,
        )

    def wait_watched(self, monitors: int, within_s: float) -> None:
        """Every monitor has its reference."""
        eventually(
            f"{monitors} monitors have a reference",
            lambda: self.with_condition(DRIFT_MONITOR, "ReferenceLoaded") == monitors,
            within_s,
            every_s=self._every_s,
        )

    def wait_told(self, monitors: int, within_s: float) -> None:
        """Every monitor says something of itself."""
        eventually(
            f"{monitors} monitors have conditions",
            lambda: sum(bool(conditions(held)) for held in self.held(DRIFT_MONITOR)) == monitors,
            within_s,
            every_s=self._every_s,
        )

    def _each(self, act: Callable[[Any], object], over: Sequence[Any]) -> None:
        for _ in self._pool.map(act, over):
            pass

    def _allow(self) -> None:
        """Any service account of a namespace may write there what a rollout writes."""
        for namespace in self.namespaces:
            group = {"apiGroup": GROUP, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
            grant(self.cluster, namespace, "rollouts", group, EVERYTHING)


class Busy(Players):
    """Acts only on what it has not seen as it is, so that a thousand objects cost two lists."""

    def __init__(self, cluster: "Direct", namespace: str, pods: bool, every_s: float) -> None:
        super().__init__(cluster, namespace)
        self._pods, self._every_s = pods, every_s
        self._known: dict[str, str] = {}
        self._made: set[str] = set()

    def _play(self) -> None:
        while not self._stop.wait(self._every_s):
            serve = self._serve_by_pods if self._pods else self._serve
            for kind, act in ((INFERENCE_SERVICE, serve), (HTTP_ROUTE, self._accept)):
                with suppress(SurroundingsFailed):
                    self._news(kind, act)

    def _serve_by_pods(self, service: Object) -> None:
        """As KServe: Service and Deployment, Ready once a pod of it is.

        Raises:
            TrimtabError: that is still waited for.
        """
        name, made = service["metadata"]["name"], self._made
        if name not in made:
            self.expose(service)
            made.add(name)
        held = self.cluster.get(DEPLOYMENT, self.namespace, f"{name}-predictor")
        if held is None or not (held.get("status") or {}).get("availableReplicas"):
            raise SurroundingsFailed(f"no pod of {name} is available yet")
        self.say_ready(service)

    def _news(self, kind: Kind, act: Callable[[Object], None]) -> None:
        for held in self.cluster.list(kind, self.namespace):
            uid, version = held["metadata"]["uid"], held["metadata"]["resourceVersion"]
            if self._known.get(uid) == version:
                continue
            with suppress(TrimtabError, Conflict):
                act(held)
                self._known[uid] = version


def conditions(held: Object) -> Sequence[Mapping[str, Any]]:
    return (held.get("status") or {}).get("conditions") or []


@contextmanager
def namespaces(cluster: "Direct", count: int) -> Iterator[list[str]]:
    """Namespaces of a control plane of one's own; they go with it."""
    names = [f"team-{number:02}" for number in range(count)]
    for name in names:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield names

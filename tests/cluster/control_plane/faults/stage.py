"""One ModelRollout in a namespace of its own, its operator, the players around it, and what must always hold."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from operators.drift.handlers.rollout import RolloutHandler
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Surroundings
from operators.drift.traces import Tracing
from tests.cluster.control_plane.faults.machine import Killed, Machine, Mortal, Time, Writes, configuration
from tests.cluster.control_plane.faults.players import Players
from tests.cluster.control_plane.faults.settings import own_runtime
from trimtab.adapters.children import ROLLOUT
from trimtab.adapters.collector import Collector
from trimtab.adapters.gateway_api.kinds import HTTP_ROUTE
from trimtab.adapters.gateway_api.route import split_of
from trimtab.adapters.kserve import template_text
from trimtab.adapters.kserve.asking import Http
from trimtab.adapters.kserve.kinds import INFERENCE_SERVICE
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT, REGISTRY
from trimtab.api.errors import InputRefused
from trimtab.api.resources.act import ACT, Act, Verb
from trimtab.ports.cluster import Object
from trimtab.ports.evidence import Agreement, Evidence, Latencies, RequestCount
from trimtab.rollout import revision_id

NAME: Final = "flights"
START: Final = datetime(2026, 11, 1, 0, 0, 30, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
REQUESTS_A_MINUTE: Final = 5000
STRATEGY: Final[Mapping[str, Any]] = {
    "warmUp": {"requests": 2, "timeout": "5m"},
    "steps": [
        {"name": "shadow", "shadow": {}, "until": {"minDuration": "1m", "maxDuration": "20m"}},
        {"name": "half", "canary": {"percent": 50}, "until": {"minDuration": "1m", "maxDuration": "20m"}},
    ],
    "onInconclusive": "Rollback",
    "keepPrevious": "1m",
}
CHECKS: Final[Sequence[Mapping[str, Any]]] = [
    {"name": "errors", "metric": "error_rate", "noWorseThanStableBy": {"absolute": "0.05"}}
]


def model(version: str) -> dict[str, str]:
    return {"uri": f"s3://models/flights/{version}", "version": version, "digest": f"{version:0>2}" * 32}


def rollout(
    namespace: str, template: Mapping[str, Any], checks: Sequence[Mapping[str, Any]] = CHECKS
) -> dict[str, Any]:
    return {
        "apiVersion": MODEL_ROLLOUT.api_version,
        "kind": MODEL_ROLLOUT.kind,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "model": model("1"),
            "modelName": NAME,
            "serviceAccountName": "default",
            "serving": {"template": template},
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": [f"{namespace}.example.com"],
            },
            "strategy": STRATEGY,
            "checks": list(checks),
        },
    }


class Told:
    """ports.evidence.Evidence: every revision gets as many requests; none bears a time that never was.

    Attributes:
        errors: share of its requests that fail.
        slow: factor of its latency.
        disagrees: share of its answers that are on the other side of stable's.
        not_finite: answers NaN.
        down: the collector cannot be reached.
    """

    def __init__(self, time: Time) -> None:
        self._time = time
        self.errors: dict[str, float] = {}
        self.slow: dict[str, float] = {}
        self.disagrees: dict[str, float] = {}
        self.not_finite: set[str] = set()
        self.down = False
        self._nobody = Collector("http://127.0.0.1:9", timeout_s=1)

    def observe(self, revision: str, profile: bytes) -> None:
        self._reach()

    def requests(
        self, revision: str, start: datetime, end: datetime, bucket_s: int
    ) -> Sequence[RequestCount]:
        end = self._ended(start, end)
        found, length = [], timedelta(seconds=bucket_s)
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        at = day + -((day - start) // length) * length
        many = REQUESTS_A_MINUTE * bucket_s // 60
        while at + length <= end:
            found.append(RequestCount(at, many, round(many * self.errors.get(revision, 0.0)), many))
            at += length
        return found

    def latencies(self, revision: str, start: datetime, end: datetime) -> Latencies:
        end = self._ended(start, end)
        edges = [1.02**k for k in range(300)]
        middle = 20.0 * self.slow.get(revision, 1.0)
        many = REQUESTS_A_MINUTE * max(0, (end - start) // MINUTE)
        counts = [many // 40 if 0.7 < edge / middle < 1.5 else 0 for edge in edges]
        return Latencies(edges, counts)

    def agreement(self, stable: str, candidate: str, start: datetime, end: datetime) -> Agreement:
        end = self._ended(start, end)
        pairs = REQUESTS_A_MINUTE * max(0, (end - start) // MINUTE)
        disagree = round(pairs * self.disagrees.get(candidate, 0.0))
        not_finite = pairs if candidate in self.not_finite else 0
        return Agreement(pairs, disagree, float(disagree), not_finite, min(pairs, 2))

    def sketches(self, revision: str, start: datetime, end: datetime) -> Mapping[str, Any]:
        self._reach()
        return {}

    def scored(self, *asked: Any) -> Sequence[Any]:
        self._reach()
        return []

    def paired(self, *asked: Any) -> Sequence[Any]:
        self._reach()
        return []

    def received(self) -> Mapping[str, int]:
        return {}

    def _ended(self, start: datetime, end: datetime) -> datetime:
        """The end of what there is of a span."""
        self._reach()
        if start > end:
            raise InputRefused("start is after end")
        return min(end, self._time.farthest)

    def _reach(self) -> None:
        if self.down:
            self._nobody.received()


class Around(Surroundings):
    """The operator's surroundings, with played servers and a played collector."""

    def __init__(self, stage: "Stage", *rest: Any) -> None:
        super().__init__(*rest)
        self._stage = stage

    def evidence(self, namespace: str) -> Evidence:
        return self._stage.evidence

    def http(self) -> Http:
        return self._stage.players.ask


class Stage:
    """One run of a story.

    Args:
        players: everybody else in the namespace, who serve in a setting.
    """

    def __init__(
        self,
        machine: Machine,
        players: Players,
        folder: Path,
        checks: Sequence[Mapping[str, Any]] = CHECKS,
        **settings: Any,
    ) -> None:
        self.machine, self.players, self.namespace = machine, players, players.namespace
        self.setting = players.setting
        self._settings = configuration(folder, **settings)
        self.time, self.writes = Time(START), Writes()
        self.evidence = Told(self.time)
        self.broken: list[str] = []
        self.restarts = 0
        self.looks = 0
        namespaced = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        machine.cluster.create(namespaced)
        machine.cluster.create(own_runtime(self.namespace))
        machine.cluster.create(rollout(self.namespace, self.setting.template, checks))
        self.restart()

    # what a test does

    def restart(self) -> None:
        """A new process: nothing of the old one's memory is left."""
        self.restarts += 1
        epoch = f"epoch-{self.restarts}"
        settings = self._settings
        mortal = Mortal(self.machine.cluster, self.writes, self._judge)
        self.handler = RolloutHandler(
            settings, mortal, Around(self, settings, mortal), self.time, lambda: epoch, Metrics(), Tracing()
        )

    def look(self) -> None:
        """One look of the operator, which may die in it; the players' answers; a minute passes."""
        self.looks += 1
        self.writes.look_begins()
        try:
            self.handler.look(self.namespace, NAME)
        except Killed:
            self.restart()
        self.players.play()
        self.time.pass_(MINUTE)

    def until(self, what: str, holds: Callable[[], bool], looks: int = 60) -> None:
        for _ in range(looks):
            self.look()
            if holds():
                return
        raise AssertionError(f"{what}: not within {looks} looks; {self.status}; {self.weights}")

    def serve_first(self) -> None:
        self.until("the first revision serves", lambda: self.stable == self.revision("1") and self.idle, 20)

    def wish(self, version: str) -> None:
        """A person writes another model into the rollout."""
        self.spec(model=model(version))

    def spec(self, **fields: Any) -> None:
        """A person changes the rollout's spec."""
        held = self.rollout
        self.machine.cluster.replace({**held, "spec": {**held["spec"], **fields}})

    def order(self, verb: Verb, revision: str) -> None:
        """A person orders something."""
        act = Act(id=f"{verb}-{self.looks}", verb=verb, revision=revision, by="ann")
        held = self.rollout
        notes = {**(held["metadata"].get("annotations") or {}), ACT: act.text()}
        self.machine.cluster.replace({**held, "metadata": {**held["metadata"], "annotations": notes}})

    def at(self, phase: str, weights: Mapping[str, int]) -> None:
        """Until a rollout is there."""
        self.until(phase, lambda: self.status.get("phase") == phase and self.weights == weights)

    def wipe(self) -> None:
        """Somebody deletes the status."""
        held = self.rollout
        self.machine.cluster.write_status({**held, "status": {}})

    # what a test sees

    def revision(self, version: str) -> str:
        """How the operator names a version's revision."""
        return revision_id(model(version)["digest"], NAME, template_text(self.setting.template))

    @property
    def rollout(self) -> Object:
        held = self.machine.cluster.read(MODEL_ROLLOUT, self.namespace, NAME)
        assert held is not None
        return held

    @property
    def status(self) -> Mapping[str, Any]:
        held = self.machine.cluster.get(MODEL_ROLLOUT, self.namespace, NAME)
        return (held or {}).get("status") or {}

    @property
    def stable(self) -> str:
        return str((self.status.get("stable") or {}).get("revision", ""))

    @property
    def candidate(self) -> str:
        return str((self.status.get("candidate") or {}).get("revision", ""))

    @property
    def idle(self) -> bool:
        status = self.status
        busy = (
            status.get("candidate") or status.get("step") or status.get("previous") or status.get("leaving")
        )
        return not busy and status.get("phase") == "Idle"

    @property
    def settled(self) -> bool:
        """Nothing is under way, and no server is left but the stable one."""
        return self.idle and list(self.weights) == [self.stable] and len(self.servers) == 1

    def refused(self, revision: str) -> bool:
        return any(one["revision"] == revision for one in self.status.get("rejected") or [])

    @property
    def killed_at(self) -> str:
        return self.writes.done[self.writes.at] if len(self.writes.done) > self.writes.at >= 0 else ""

    @property
    def route(self) -> Object | None:
        return self.machine.cluster.get(HTTP_ROUTE, self.namespace, f"{NAME}-trimtab")

    @property
    def weights(self) -> Mapping[str, int]:
        held = self.route
        return dict(split_of(held).weights) if held is not None else {}

    @property
    def mirrored(self) -> str | None:
        held = self.route
        return split_of(held).mirror if held is not None else None

    @property
    def servers(self) -> dict[str, Mapping[str, Any]]:
        """Replica bounds of the servers there are, by name."""
        found = self.machine.cluster.list(INFERENCE_SERVICE, self.namespace, {ROLLOUT: NAME})
        return {
            one["metadata"]["name"]: {
                key: one["spec"]["predictor"].get(key) for key in ("minReplicas", "maxReplicas")
            }
            for one in found
        }

    @property
    def notes(self) -> str:
        """What outlives a status."""
        return str((self.rollout["metadata"].get("annotations") or {}).get(REGISTRY, ""))

    def condition(self, kind: str) -> tuple[str, str]:
        """(status, reason); both "" where there is none."""
        for one in self.status.get("conditions") or []:
            if one["type"] == kind:
                return one["status"], one["reason"]
        return "", ""

    def end(self) -> tuple[object, ...]:
        """What every run of a story must agree on."""
        rejected = sorted(one["revision"] for one in self.status.get("rejected") or [])
        return (
            self.stable, self.idle, rejected, self.weights, self.mirrored, self.servers, sorted(self.noted),
            self.condition("Ready")[0], self.broken,
        )  # fmt: skip

    @property
    def noted(self) -> set[str]:
        """Names of what is noted about versions, without the namespace."""
        return {name.replace(self.namespace, "") for name in json.loads(self.notes or "{}")}

    @property
    def barred(self) -> bool:
        """Whether any version is noted as rejected."""
        return any("rejected" in name for name in self.noted)

    def _judge(self, verb: str, obj: Object) -> None:
        """What must hold at each write of the route."""
        if obj["kind"] != HTTP_ROUTE.kind or verb not in ("create", "replace"):
            return
        now = split_of(obj)
        before = self.weights
        held = self.route
        stamped = held is not None and obj["spec"] == held["spec"]  # what somebody edited, not yet mended
        if sum(now.weights.values()) != 100 and not stamped:
            self.broken.append(f"weights {dict(now.weights)}")
        for name, weight in now.weights.items():
            alone_again = weight == 100 and name in before
            if weight > before.get(name, 0) and not self.players.serves(name) and not alone_again:
                self.broken.append(f"{weight} on {name}, which is not ready")
        if now.mirror and not self.players.serves(now.mirror):
            self.broken.append(f"a mirror to {now.mirror}, which is not ready")
        if past := [name for name in led_to(obj) if not name.endswith(f"-{self.setting.entry}")]:
            self.broken.append(f"led past the entry: {past}")


def led_to(route: Object) -> list[str]:
    """The Services of a route's backends."""
    return [ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]]

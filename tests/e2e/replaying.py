"""Flights of 2013 as they happened, sent through a cluster's gateway while the loop's time goes by.

Sources, online store and labels grow hour by hour as on a laptop (`trimtab.local.demo`); but time does not stand still
while a pod trains, and nobody but the operator decides.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import httpx
import numpy as np

from tests.cluster.kube.poll import eventually
from tests.cluster.node.rollouts import Rollout
from tests.cluster.node.served import MODEL, PORT, host
from tests.e2e.shop import CLAIM, EVENT, Shop
from trimtab.adapters.collector import Collector, Label
from trimtab.adapters.kserve.kinds import POD
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.adapters.kubernetes.state import ResourceState
from trimtab.adapters.mlflow import MlflowRegistry
from trimtab.adapters.namespaced_collector import SERVICE
from trimtab.adapters.namespaced_collector.objects import NAME as COLLECTOR
from trimtab.adapters.online import online_store
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import load
from trimtab.api.errors import SurroundingsFailed
from trimtab.api.monitor import MonitorStatus
from trimtab.api.retrain import RetrainStatus
from trimtab.api.rollout_status import RolloutStatus
from trimtab.local.demo import prepare
from trimtab.local.demo.lived import Lived
from trimtab.local.demo.memory import Peak
from trimtab.local.demo.run import SEED
from trimtab.local.demo.story import Story
from trimtab.local.replay.barrier import Logged, ServerLog
from trimtab.local.replay.client import Client
from trimtab.local.replay.driver import Counts, Sources, chunks, write_known
from trimtab.local.replay.world import Hour, Known, Outcome
from trimtab.ports.registry import ModelVersion
from trimtab.ports.state import Event

if TYPE_CHECKING:
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from trimtab.local.demo.flights import FlightsYear

START: Final = datetime(2013, 4, 1, 8, tzinfo=UTC)
"""From here on flights are asked about: four in the morning in New York, when a local day of evidence begins."""
END: Final = datetime(2013, 7, 21, 8, tzinfo=UTC)
AFTER: Final = timedelta(days=2)
"""Lived on for so long once a second model has come into service."""
SPEED: Final = 9000
"""A day in ten seconds: a run of 50 s takes five days, where a laptop's takes an hour."""
SLOWLY: Final = timedelta(minutes=5)
"""For so long time goes by as it does, until the first model is in service."""
SERVED_WITHIN_S: Final = 240
LOOK_S: Final = 0.2
CARRIERS: Final = ("AA", "B6", "DL", "EV", "UA")
WATCH_HOURS: Final = 3
COLLECTOR_WITHIN_S: Final = 300
EVENTS_WITHIN_S: Final = 30
LABELS_AT_ONCE: Final = 5000
PVC: Final = f"pvc://{CLAIM}/"
ACCOUNT: Final = "trimtab-pipelines"
OF_A_MODEL: Final = "serving.kserve.io/inferenceservice"


class Replay:
    """One replay into a team's namespace.

    Args:
        shop: of the time as it will go by once the first model is in service.
        scratch: a folder for the recording.
        say: is told of what happens, a line at a time.
    """

    def __init__(self, shop: Shop, gateway: "Gateway", scratch: Path, say: Callable[[str], None]) -> None:
        self._shop, self._node, self._clock, self._say = shop, shop.node, shop.rehearsal.clock, say
        self._scratch = scratch
        self._ending = ExitStack()
        self._began = time.monotonic()
        self._peak = self._ending.enter_context(Peak(lambda: [self._node.pid]))
        prepare.copy_project(scratch / "project")
        self.project = load(scratch / "project").project
        self._world: FlightsYear = prepare.record_year(
            scratch / "project", scratch / "world", ((START, END),)
        )
        url = f"http://127.0.0.1:{gateway.port}"
        self._client = Client(url, f"/v2/models/{MODEL}/infer", SEED, name=host(shop.namespace))
        self._events = asyncio.new_event_loop()
        self._ending.callback(self._events.close)
        self._ending.callback(self._client.close)
        self._states = {
            kind.kind: ResourceState(self._node.cluster, kind, shop.namespace, MODEL)
            for kind in (MODEL_ROLLOUT, DRIFT_MONITOR, RETRAIN_POLICY)
        }
        self._logs = Logs(self._node, shop.namespace)
        self._ending.callback(self._logs.close)
        self.counts, self._story = Counts(), Story()
        self._told = self._promotions = 0
        self._revisions: dict[str, str] = {}
        self.late_s = 0.0

    def __enter__(self) -> "Replay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.__exit__(kind, error, trace)

    def begin(self, operator: str) -> None:
        """Furnish the namespace with what was known at the start, apply the samples, and have a first model.

        What is looked up is in the online store because the first run put it there.

        Args:
            operator: the address at which it takes events.
        """
        uri = self._shop.furnish(self._scratch / "furnished")
        volume, before = self._shop.volume, self._world.before()
        self._sources = Sources(volume / "data")
        self._ending.callback(self._sources.close)
        self._sources.begin(before.appended)
        home = Home.of(volume)
        home.path.mkdir(exist_ok=True)
        home.path.chmod(0o777)
        self._online = online_store(self._shop.online_here, MODEL)
        self._ending.callback(self._online.close)
        namespace, cluster = self._shop.namespace, self._node.cluster
        self._shop.sample(uri, self.project, "1m", self._scratch / "sample")
        self._post(f"{operator}/v1/namespaces/{namespace}/events")
        eventually(
            "the collector's Service", lambda: cluster.get(SERVICE, namespace, COLLECTOR), COLLECTOR_WITHIN_S
        )
        self._collector = Collector(f"http://127.0.0.1:{self._node.service(namespace, COLLECTOR)}")
        self._ending.callback(self._collector.close)
        self._deliver(before.outcomes)
        rollout = Rollout(self._node, namespace)
        rollout.eventually("the first model is served", lambda: rollout.serves_alone("1"), SERVED_WITHIN_S)
        self._shop.sample(uri, self.project, "6h", self._scratch / "sample")

    def run(self) -> None:
        """Live through the hours until some days after a second model came into service."""
        promoted: datetime | None = None
        for hour in self._world.hours():
            self._wait_until(hour.start)
            self._live(hour)
            if promoted is None and self._promotions > 1:
                promoted = hour.start
            if promoted is not None and hour.start > promoted + AFTER:
                break
        deadline = time.monotonic() + EVENTS_WITHIN_S
        while self._logs.underway(self._collector.received()) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            self._logs.look()
        self._watch()

    def looked_up(self) -> int:
        """Carriers whose late rate the online store holds."""
        [found] = self._online.read([("carrier_week", CARRIERS)])
        return int(np.isfinite(found.columns["late_rate_7d"]).sum())

    def queries(self) -> int:
        """How often the online store was read."""
        import redis

        client = redis.Redis.from_url(self._shop.online_here)
        try:
            return int(client.info("commandstats")["cmdstat_mget"]["calls"])
        finally:
            client.close()

    def lived(self) -> Lived:
        """All that came of it."""
        mlflow = MlflowRegistry(self._shop.registry())
        return Lived(
            project=self.project,
            start=START,
            end=self._clock.now(),
            counts=self.counts,
            logged=self._logs.last(),
            rollout=self.rollout,
            monitor=MonitorStatus.model_validate(self._body("DriftMonitor")),
            retrain=RetrainStatus.model_validate(self._body("RetrainPolicy")),
            events=self.events(),
            versions=[self._here(version) for version in mlflow.versions(MODEL)],
            revisions=self._revisions,
            run_tags=mlflow.run_tags,
            collector=self._collector,
            story=self._story,
            home=Home.of(self._shop.volume),
            wall_s=time.monotonic() - self._began,
            peak_mb=self._peak.peak_mb,
        )

    @property
    def rollout(self) -> RolloutStatus:
        return RolloutStatus.model_validate(self._body("ModelRollout"))

    def events(self, *kinds: str) -> list[Event]:
        """What the operator told of the three resources, in the order of the loop's time."""
        told = [event for state in self._states.values() for _, event in state.events()]
        return sorted(
            (event for event in told if not kinds or event.kind in kinds), key=lambda event: event.at
        )

    def _live(self, hour: Hour) -> None:
        self._sources.append(hour.appended)
        self._know(hour.known)
        self._deliver(hour.outcomes)
        status = self.rollout
        self._story.look(self._clock.now(), status)
        for ref in (status.stable, status.candidate):
            if ref is not None:
                self._revisions[ref.revision] = ref.version
        if hour.requests and status.stable is not None and status.traffic:
            began = time.monotonic()
            answers = self._events.run_until_complete(self._client.send_all(hour.requests))
            rows = sum(request.rows for request in hour.requests)
            self.counts.add(answers, rows, time.monotonic() - began)
        if hour.start.hour % WATCH_HOURS == 0:
            self._watch()

    def _watch(self) -> None:
        """Ask the model servers, and tell what is new."""
        self._logs.look()
        for event in (known := self.events())[self._told :]:
            self._say(
                f"{event.at:%d %B %H:%M}  {event.resource} {event.kind} {event.revision} {event.because}"
            )
            self._promotions += event.kind == "Promoted"
        self._told = max(self._told, len(known))

    def _wait_until(self, moment: datetime) -> None:
        while (left := (moment - self._clock.now()).total_seconds() / SPEED) > 0:
            time.sleep(min(left, LOOK_S))
            self._story.look(self._clock.now(), self.rollout)
        self.late_s = max(self.late_s, -left)

    def _post(self, url: str) -> None:
        """Tell the operator that flights have landed, as an account of the namespace."""
        token = self._node.kubectl("create", "token", ACCOUNT, "-n", self._shop.namespace).strip()
        event = {"ce-specversion": "1.0", "ce-id": "first", "ce-type": EVENT, "ce-source": "airport"}
        headers = {"Authorization": f"Bearer {token}", **event}

        def taken() -> bool:
            return httpx.post(url, headers=headers, timeout=20, trust_env=False).status_code == 202

        eventually("the policy takes the event", taken, 60, every_s=1.0)

    def _know(self, known: Sequence[Known]) -> None:
        for rows in known:
            write_known(self._online, rows)

    def _deliver(self, outcomes: Sequence[Outcome]) -> None:
        for part in chunks(outcomes, LABELS_AT_ONCE):
            labels = [Label(one.id, one.label, one.known_at, one.time) for one in part]
            eventually(
                "the collector takes labels", lambda labels=labels: self._taken(labels), COLLECTOR_WITHIN_S
            )

    def _taken(self, labels: Sequence[Label]) -> bool:
        try:
            self._collector.labels(labels)
        except SurroundingsFailed:
            return False
        return True

    def _body(self, kind: str) -> Mapping[str, object]:
        held = self._states[kind].read(kind, MODEL)
        return held.body if held is not None else {}

    def _here(self, version: ModelVersion) -> ModelVersion:
        """With the folder of its files as this host sees it."""
        assert version.uri.startswith(PVC), version.uri
        return replace(version, uri=str(self._shop.volume / version.uri.removeprefix(PVC)))


class Logs:
    """What every model server of a namespace said last of its payload log; those that are gone are remembered."""

    def __init__(self, node: "Node", namespace: str) -> None:
        self._node, self._namespace = node, namespace
        self._servers: dict[str, ServerLog] = {}
        self._last: dict[str, Logged] = {}

    def look(self) -> None:
        for uid, server in self._found():
            if (said := server.read()) is not None:
                self._last[f"{uid} {said.pid}"] = said

    def underway(self, received: Mapping[str, int]) -> bool:
        """Whether events that were logged have not all been received."""
        return sum(one.logged for one in self._last.values()) > sum(received.values())

    def last(self) -> Sequence[Logged]:
        return list(self._last.values())

    def close(self) -> None:
        for server in self._servers.values():
            server.close()

    def _found(self) -> Iterator[tuple[str, ServerLog]]:
        for pod in self._node.cluster.list(POD, self._namespace):
            if OF_A_MODEL not in pod["metadata"].get("labels", {}):
                continue
            uid, address = pod["metadata"]["uid"], pod["status"].get("podIP")
            if address and uid not in self._servers:
                self._servers[uid] = ServerLog(f"http://127.0.0.1:{self._node.forward(address, PORT)}")
            if uid in self._servers:
                yield uid, self._servers[uid]

"""What pipelines run on, played: Kubernetes' Job controller and its pods, or a Kubeflow Pipelines server's workflows.

A run is the project's own code around its training: it claims its key on the real API server, registers by
`register_once`, and may be killed between any two of its calls.
"""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from operators.drift.cluster import WatchedCluster
from tests.cluster.control_plane.faults.address import Address
from tests.cluster.control_plane.faults.flights import Recording
from tests.cluster.control_plane.runs.kfp_api import KfpApi, serving
from tests.cluster.control_plane.runs.shelf import Killed, Mortal, OnShelf, Shelf
from trimtab.adapters.claims import InClusterClaims
from trimtab.adapters.jobs import JOB
from trimtab.api.errors import AnswerIsNo
from trimtab.ports.cluster import Object
from trimtab.steps.model_folder import ModelFolder
from trimtab.steps.register import Holder, register_once

PIPELINE: Final = "flights-training"
PROJECT: Final = "s3://projects/flights-" + "0" * 64 + ".tar.gz"
CALLS: Final = 16
"""Of one run, counting before and after."""
RETRIES: Final = 2
SURPLUS_FAULTS: Final = ("500", "lost", "twice", "unlisted", "")


@dataclass
class Fate:
    """What befalls runs. Without dice nothing does, and each is over at its first turn.

    Attributes:
        for_good: how many more may be killed and never come back.
        held: no run gets on.
    """

    dice: random.Random | None = None
    for_good: int = 1
    killed: int = 0
    held: bool = False

    def waits(self) -> bool:
        return self.held or (self.dice is not None and self.dice.random() < 0.2)

    def fuse(self) -> list[int]:
        """Calls until it is killed; 0 for never."""
        if self.dice is None or self.dice.random() < 0.4:
            return [0]
        return [self.dice.randint(1, CALLS)]

    def ends(self) -> bool:
        """Whether one that was killed has been killed for good."""
        self.killed += 1
        if self.dice is None or not self.for_good or self.dice.random() > 0.2:
            return False
        self.for_good -= 1
        return True

    def any_of(self, runs: list[str]) -> str:
        return self.dice.choice(runs) if self.dice is not None else runs[0]


@dataclass
class Runs:
    """What all runs of a namespace share.

    Attributes:
        skipped: those that another run's claim sent home.
    """

    claims: InClusterClaims
    shelf: Shelf
    recording: Recording
    fate: Fate
    skipped: set[str] = field(default_factory=set)

    def work(self, identity: str, key: str, until: datetime) -> str:
        """One run with its own model: "registered" or "skipped".

        Raises:
            Killed
        """
        fuse = self.fate.fuse()
        claims = Mortal(self.claims, fuse)
        if claims.take(key, identity).run != identity:
            self.skipped.add(identity)
            return "skipped"
        trained = self.recording.trained(until)
        digest = identity.replace("-", "")[:32].ljust(64, "f")
        folder = ModelFolder(Path(f"/models/{identity}"), digest, {"trimtab.rows": trained.labelled})
        registry = Mortal(OnShelf(self.shelf, identity), fuse)
        try:
            register_once(
                Holder(claims, key, identity), registry, "flights", folder, until,
                passed=trained.passed, because=trained.because, uri=f"s3://models/{digest[:16]}",
            )  # fmt: skip
        except AnswerIsNo:
            self.skipped.add(identity)
            return "skipped"
        return "registered"


class Engine(Protocol):
    """Where runs run."""

    @property
    def pipeline(self) -> dict[str, Any]:
        """`spec.pipeline` of a policy."""

    @property
    def providers(self) -> dict[str, Any]:
        """`providers` of the operator's configuration."""

    def play(self) -> None:
        """A turn of every run that is not over."""

    def all(self) -> dict[str, str]:
        """Every run there ever was, and how it stands: going, registered, skipped, failed or terminated."""

    def key(self, run: str) -> str:
        """For what a run was created."""


class Jobs:
    """The Job controller; no Pod is made, for what a run registered is read from its claim."""

    pipeline: Final = {
        "job": {"image": "example.com/trimtab:1", "cpu": "1", "memory": "1Gi", "retries": RETRIES},
        "project": PROJECT,
    }
    providers: Final[dict[str, Any]] = {}

    def __init__(self, cluster: WatchedCluster, namespace: str, runs: Runs) -> None:
        self._cluster, self._namespace, self._runs = cluster, namespace, runs
        self._pods: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._ended: dict[str, str] = {}

    def play(self) -> None:
        for job in self._cluster.list(JOB, self._namespace):
            uid = job["metadata"]["uid"]
            self._pods.setdefault(uid, 0)
            self._keys[uid] = job["metadata"]["annotations"]["trimtab.dev/key"]
            if uid not in self._ended and not self._runs.fate.waits():
                self._turn(job, uid)

    def all(self) -> dict[str, str]:
        return {uid: self._ended.get(uid, "going") for uid in self._pods}

    def key(self, run: str) -> str:
        return self._keys[run]

    def _turn(self, job: Object, uid: str) -> None:
        container = job["spec"]["template"]["spec"]["containers"][0]
        variables = {one["name"]: one.get("value", "") for one in container["env"]}
        until = datetime.fromisoformat(json.loads(variables["TRIMTAB_PARAMETERS"])["until"])
        try:
            self._end(job, uid, self._runs.work(uid, self._keys[uid], until))
        except Killed:
            self._pods[uid] += 1
            if self._pods[uid] > RETRIES and self._runs.fate.ends():
                self._end(job, uid, "failed")

    def _end(self, job: Object, uid: str, how: str) -> None:
        self._ended[uid] = how
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kinds = ("FailureTarget", "Failed") if how == "failed" else ("SuccessCriteriaMet", "Complete")
        reason = "BackoffLimitExceeded" if how == "failed" else "CompletionsReached"
        conditions = [
            {"type": kind, "status": "True", "reason": reason, "message": reason,
             "lastTransitionTime": at, "lastProbeTime": at}
            for kind in kinds
        ]  # fmt: skip
        counts = {"failed": 1} if how == "failed" else {"succeeded": 1, "completionTime": at}
        self._cluster.write_status({**job, "status": {"startTime": at, "conditions": conditions, **counts}})


class Workflows:
    """A Kubeflow Pipelines server, and the workflows behind it."""

    pipeline: Final = {"providerRef": "kubeflow", "name": PIPELINE, "project": PROJECT}

    def __init__(self, api: KfpApi, runs: Runs) -> None:
        self._api, self._runs = api, runs
        self._ended: dict[str, str] = {}

    @property
    def providers(self) -> dict[str, Any]:
        return {"kubeflow": [{"name": "kubeflow", "url": self._api.url}]}

    def play(self) -> None:
        fate = self._runs.fate
        if fate.dice is not None:
            self._api.faults["POST /runs"] = fate.dice.choices(SURPLUS_FAULTS, k=fate.dice.randint(0, 2))
        going = [one for one in self._api.workflows if one not in self._ended]
        if going and not fate.waits():
            self._turn(fate.any_of(going))

    def all(self) -> dict[str, str]:
        return {one: self._ended.get(one, "going") for one in self._api.workflows}

    def key(self, run: str) -> str:
        return str(self._api.started[run].runtime_config.parameters["key"])

    def _turn(self, identity: str) -> None:
        """A workflow whose termination was asked for may come that far before it hears of it."""
        row = self._api.runs.get(identity)
        told = self._api.started[identity].runtime_config.parameters
        try:
            how = self._runs.work(identity, self.key(identity), datetime.fromisoformat(told["until"]))
        except Killed:
            # One without a row is not waited for by its row's state; its operator's day of patience is real time.
            if row is None or not self._runs.fate.ends():
                return
            how = "failed"
        if row is not None and row.state == "CANCELING" and how == "skipped":
            how = "terminated"
        self._ended[identity] = how
        states = {
            "registered": "SUCCEEDED",
            "skipped": "SUCCEEDED",
            "failed": "FAILED",
            "terminated": "CANCELED",
        }
        if row is not None:
            self._api.end(identity, states[how])


@contextmanager
def workflows(runs: Runs, address: Address | None = None) -> Iterator[Workflows]:
    """Reached at an address of its own, or at the one where it may be away."""
    with serving(KfpApi(pipelines={PIPELINE: "p1"})) as api:
        if address is not None:
            there = urlsplit(api.url)
            assert there.port
            address.comes(there.port)
            api.url = f"{address.url}{there.path}"
        yield Workflows(api, runs)

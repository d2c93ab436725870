"""One DriftMonitor and one RetrainPolicy over the flights episode, their operator, and the runs that it starts.

The cluster's objects, claims and statuses are real; the days are the recording's, and time is the test's.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from operators.drift.breaker import Breaker
from operators.drift.handlers.monitor import MonitorHandler
from operators.drift.handlers.retrain import RetrainHandler
from operators.drift.metrics import Metrics
from operators.drift.surroundings import Models, Surroundings
from operators.drift.traces import Tracing
from tests.cluster.control_plane.drift_handlers import objects
from tests.cluster.control_plane.faults.engines import Engine
from tests.cluster.control_plane.faults.flights import REARM, Recording, Served, at
from tests.cluster.control_plane.faults.machine import Killed, Machine, Mortal, Time, Writes, configuration
from tests.cluster.control_plane.faults.settings import Setting
from tests.cluster.control_plane.runs.shelf import OnShelf, Shelf
from trimtab.adapters.kubernetes.kinds import DRIFT_MONITOR, MODEL_ROLLOUT, RETRAIN_POLICY
from trimtab.adapters.kubernetes.lineage import Lineage
from trimtab.api.resources import ModelRollout
from trimtab.api.rollout_status import RevisionRef
from trimtab.ports.cluster import Kind
from trimtab.ports.evidence import Evidence
from trimtab.ports.registry import ModelVersion

NAME: Final = "flights"
NOWHERE: Final = "http://127.0.0.1:9"
"""Nobody asks there: the shelf is the registry."""
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = len("2013-04-10T08")
ROUNDS: Final = 60
"""Looks of one day until nothing moves any more."""
BEGIN: Final = at(4, 1) - 10 * MINUTE
"""Before the first day begins: an operator that is killed there loses no day."""
DECISIVE: Final[Sequence[datetime]] = (BEGIN, at(4, 10), at(4, 27), at(5, 17))
"""When something happens."""
DAYS: Final[Sequence[datetime]] = (
    BEGIN, at(4, 9), at(4, 10), at(4, 11), at(4, 24), at(4, 26), at(4, 27), at(5, 8), at(5, 11), at(5, 16),
    at(5, 17), at(5, 25), at(6, 1), at(6, 7),
)  # fmt: skip
"""Around what happens, and a fortnight after each run that might fail."""


class Profiled:
    """ports.profiles.Profiles of the models on the shelf."""

    def __init__(self, recording: Recording, shelf: Shelf) -> None:
        self._recording, self._shelf = recording, shelf

    def profile(self, uri: str) -> bytes:
        held = next(one for one in self._shelf.held.values() if one.uri == uri)
        return self._recording.profile(held.version)


class Around(Surroundings):
    """The operator's surroundings with the recorded evidence and a shelf for a registry."""

    def __init__(self, stage: "Retraining", *rest: Any) -> None:
        super().__init__(*rest)
        self._stage = stage

    def evidence(self, namespace: str) -> Evidence:
        return Served(self._stage.recording)  # type: ignore[return-value]  # what monitors and policies ask of it

    def models(
        self, rollout: ModelRollout, lineage: Lineage | None = None, under_way: Sequence[RevisionRef] = ()
    ) -> Models:
        shelf = self._stage.shelf
        return Models(NAME, OnShelf(shelf), Profiled(self._stage.recording, shelf), lambda uri: ())

    def breaker(self, kind: str, name: str) -> Breaker:
        return Fatal(self._stage.writes)


class Fatal(Breaker):
    """Lets every call to a server through; the operator may die before or after one."""

    def __init__(self, writes: Writes) -> None:
        super().__init__("kubeflow")
        self._writes = writes

    def passing(self) -> AbstractContextManager[None]:
        return self._passing()

    @contextmanager
    def _passing(self) -> Iterator[None]:
        number = len(self._writes.done)
        self._writes.done.append("call KubeflowPipelines")
        if number == self._writes.at and not self._writes.after:
            raise Killed
        yield
        if number == self._writes.at:
            raise Killed


class Retraining:
    """One run of the story, in a namespace of its own.

    Attributes:
        killed: told when the operator has died, before another is there.
    """

    def __init__(
        self,
        machine: Machine,
        namespace: str,
        folder: Path,
        recording: Recording,
        shelf: Shelf,
        engine: Engine,
        setting: Setting,
    ) -> None:
        self.machine, self.namespace, self.recording = machine, namespace, recording
        self.engine, self.shelf = engine, shelf
        self._settings = configuration(
            folder,
            services=f"{NOWHERE}/{{namespace}}/{{service}}",
            providers={"mlflow": [{"name": "mlflow", "url": NOWHERE}], **engine.providers},
        )
        self.time, self.writes, self.restarts = Time(BEGIN), Writes(), 0
        self.killed: Callable[[], None] = lambda: None
        first = recording.first
        shelf.held[first.digest] = ModelVersion(NAME, first.version, first.uri, first.digest, {})
        shelf.candidate.append(("", first.version))
        rollout = objects.rollout(namespace, NAME, NAME)
        rollout["spec"]["serving"]["template"] = setting.template
        triggers = [{"name": "performance", "performance": {"monitorRef": "watch"}}]
        for obj in (
            rollout,
            objects.monitor(namespace, window={"length": "7d", "minRows": 1000}),
            objects.policy(namespace, pipeline=engine.pipeline, triggers=triggers, guards={"rearm": REARM}),
        ):
            assert machine.cluster.create(obj) is not None
        self.serve(first)
        self.restart()

    # what happens

    def restart(self) -> None:
        """A new process: nothing of the old one's memory is left."""
        self.restarts += 1
        epoch = f"epoch-{self.restarts}"
        mortal = Mortal(self.machine.cluster, self.writes, lambda verb, obj: None)
        handed = (
            self._settings, mortal, Around(self, self._settings, mortal), self.time, lambda: epoch, Metrics(),
            Tracing(),
        )  # fmt: skip
        self._monitors, self._policies = MonitorHandler(*handed), RetrainHandler(*handed)

    def serve(self, ref: RevisionRef) -> None:
        """As the rollout's own reconcile writes it."""
        held = self.machine.cluster.read(MODEL_ROLLOUT, self.namespace, NAME)
        assert held is not None
        stable = {"revision": ref.revision, "version": ref.version, "uri": ref.uri, "digest": ref.digest}
        status = {"phase": "Idle", "stable": stable, "traffic": {ref.revision: 100}}
        self.machine.cluster.write_status({**held, "status": status})

    def look(self) -> None:
        """A look at both, and a turn of the runs; a minute passes if the operator lived, so that nothing is late."""
        try:
            self._monitors.look(self.namespace, "watch")
            self._policies.look(self.namespace, "again")
        except Killed:
            self.restart()
            self.killed()
        else:
            self.time.pass_(MINUTE)
        self.engine.play()

    def day(self, hour: datetime) -> None:
        """From then until nothing moves any more."""
        self.time.pass_(hour - self.time.now())
        quiet = 0
        for _ in range(ROUNDS):
            before = self.monitor, self.policy, self.restarts, self.engine.all()
            self.look()
            moved = before != (self.monitor, self.policy, self.restarts, self.engine.all())
            quiet = 0 if moved or self.policy.get("claim") else quiet + 1
            if quiet == 2:
                return
        raise AssertionError(f"{hour}: still moving; {self.policy}; {self.engine.all()}")

    def episode(self, days: Sequence[datetime]) -> None:
        """Until a candidate is there; then it is promoted, and a day passes."""
        for hour in days:
            self.day(hour)
            if self.outcomes[-1:] == ["Candidate"]:
                break
        else:
            raise AssertionError(f"no candidate: {self.policy}")
        self.promote()
        self.day(max(hour, self.recording.promoted_at) + timedelta(days=1))

    def promote(self) -> None:
        """The rollout went through its steps."""
        version = self.shelf.candidate[-1][1]
        held = next(one for one in self.shelf.held.values() if one.version == version)
        self.serve(RevisionRef(revision="b7dfe412", version=version, uri=held.uri, digest=held.digest))

    # what is seen

    def _status(self, kind: Kind, name: str) -> dict[str, Any]:
        held = self.machine.cluster.get(kind, self.namespace, name)
        return dict((held or {}).get("status") or {})

    @property
    def monitor(self) -> dict[str, Any]:
        return self._status(DRIFT_MONITOR, "watch")

    @property
    def policy(self) -> dict[str, Any]:
        return self._status(RETRAIN_POLICY, "again")

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return list(self.policy.get("history") or [])

    @property
    def outcomes(self) -> list[str]:
        return [one["outcome"] for one in self.attempts]

    @property
    def effects(self) -> list[tuple[str, str]]:
        """(run, version) of all that was registered."""
        return [(run, self.shelf.held[digest].version) for digest, run in self.shelf.made.items()]

    @property
    def moves(self) -> list[tuple[str, str]]:
        """(run, version) of each move of the alias, repetitions by the same run left out."""
        return list(dict.fromkeys(self.shelf.candidate[1:]))

    def conditions(self, status: dict[str, Any]) -> dict[str, tuple[str, str]]:
        return {one["type"]: (one["status"], one["reason"]) for one in status.get("conditions") or []}

    def end(self) -> tuple[object, ...]:
        """What every run of the story must agree on."""
        told = [
            (one["arming"], one["claimedAt"][:HOUR], one["outcome"], one.get("version"), one["because"])
            for one in self.attempts
        ]
        episodes = [
            (one["cause"], one["openedAt"][:HOUR], one["because"], bool(one.get("closedAt")))
            for one in self.monitor["episodes"]
        ]
        versions = [version for _, version in self.effects], [version for _, version in self.moves]
        return (
            told, episodes, versions, self.policy.get("claim"), self.conditions(self.policy),
            self.conditions(self.monitor),
        )  # fmt: skip

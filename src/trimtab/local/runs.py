"""Pipeline runs on this machine: the compiled IR, executed by the pipeline host, recorded in the run's folder.

A record is written after each task, so that `--resume` knows how far a killed run came, and a key finds its
run whatever happened in between.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trimtab.adapters.kfp.at_work import alone
from trimtab.adapters.kfp.client import PipelineHost
from trimtab.adapters.openlineage import transport
from trimtab.adapters.projects.home import Home
from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed
from trimtab.api.provenance import PROVENANCE
from trimtab.bootstrap.local import Prepared
from trimtab.local.run_lineage import RunLineage
from trimtab.ports.runs import Run, RunState

RECORD = "run.json"
PAGES = (
    ("build.json", "build/judged"),
    ("validate.html", "validate/report"),
    ("validate.json", "validate/outcome"),
    ("search.html", "train/model/search.html"),
    ("evaluate.html", "evaluate/report"),
    ("report.html", "report/page"),
    (PROVENANCE, f"train/model/{PROVENANCE}"),
    (PROVENANCE, f"export/{PROVENANCE}"),
    (PROVENANCE, f"export-2/{PROVENANCE}"),
)
"""What of a run is read later: the name that it gets beside run.json, and where a task leaves it. The last one wins."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as it ended.

    Attributes:
        failure: {type, sentence, remedy, status}; None when it succeeded.
    """

    name: str
    seconds: float
    succeeded: bool
    log: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One run, as its folder keeps it.

    Attributes:
        project: the bundle's address.
        arguments: of the pipeline.
        started, ended: wall-clock time, RFC 3339.
        error: what ended it, where no task failed; "" else.
    """

    id: str
    key: str
    project: str
    arguments: Mapping[str, Any]
    started: str
    state: str = RunState.RUNNING.value
    ended: str = ""
    tasks: tuple[TaskRecord, ...] = ()
    error: str = ""

    @classmethod
    def read(cls, folder: Path) -> "Record | None":
        try:
            data = json.loads((folder / RECORD).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(**{**data, "tasks": tuple(TaskRecord(**task) for task in data["tasks"])})

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        making = folder / f".{RECORD}.{os.getpid()}"
        making.write_text(json.dumps(asdict(self), indent=1))
        making.replace(folder / RECORD)

    def output(self, name: str) -> Any:
        """The last value that a task wrote under this name; None if none did."""
        return next((task.outputs[name] for task in reversed(self.tasks) if name in task.outputs), None)

    def as_run(self) -> Run:
        failed = next((task.failure for task in self.tasks if task.failure), None)
        broken = str(failed["sentence"]) if failed else self.error
        return Run(
            id=self.id,
            key=self.key,
            state=RunState(self.state),
            version=self.output("version") if self._registered else None,
            passed=self.output("passed"),
            because=broken or str(self.output("because") or ""),
            data_end=datetime.fromisoformat(self.arguments["until"]),
            labelled=int(self.output("labelled") or 0),
        )

    def outcome(self) -> str:
        """What became of it, in a few words."""
        run = self.as_run()
        if run.state is RunState.RUNNING:
            return "not ended"
        if run.state is RunState.FAILED:
            failed = next((task.name for task in self.tasks if task.failure), "outside its steps")
            return f"failed: {failed}: {run.because}"
        return f"{'candidate' if run.passed else 'refused'}: version {run.version}: {run.because}"

    @property
    def _registered(self) -> bool:
        return any(task.name.startswith("register") and task.succeeded for task in self.tasks)


class TaskFailed(SurroundingsFailed):
    """A task of a run failed: which, why, and where its log is."""

    def __init__(self, run: str, task: TaskRecord) -> None:
        failure = task.failure or {}
        super().__init__(
            f"step '{task.name}' failed: {failure.get('sentence', 'no reason given')}\n  log: {task.log}",
            remedy=f"{failure.get('remedy') or 'see the log'}; then: {_again(run, failure)}",
        )
        self.status = ExitStatus(failure.get("status", self.status))


def _again(run: str, failure: Mapping[str, Any]) -> str:
    """How to go on: a run is resumed over the very files that it began with, so mended files want a new one."""
    mended = failure.get("status") == ExitStatus.INPUT
    return "trimtab run" if mended else f"trimtab run --resume {run}"


class LocalRuns:
    """Runs of one project; implements ports.runs.Runs, one run at a time.

    Args:
        prepared: the project as it stands now.
        host: gives the warm pipeline host, started on first use.
        on_event: hears of each task's start and end.
    """

    def __init__(
        self,
        prepared: Prepared,
        host: Callable[[], PipelineHost],
        on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._home, self._ir, self._project = prepared.home, prepared.ir, prepared.bundle
        self._prepared = prepared
        self._host, self._on_event = host, on_event

    def start(self, key: str, parameters: Mapping[str, Any]) -> Run:
        """Run to the end, or return the run that this key already has."""
        found = self.find(key)
        if found is not None and found.state is not RunState.RUNNING:
            return found
        return self.run(run_id(key), {**parameters, "key": key}).as_run()

    def find(self, key: str) -> Run | None:
        record = Record.read(self._home.runs / run_id(key))
        return record.as_run() if record else None

    def run(self, identity: str, parameters: Mapping[str, Any]) -> Record:
        """Execute the IR under this id; a record that stands there already is gone on from.

        Raises:
            SurroundingsFailed: the host died, or the record cannot be written; the run can be gone on with.
            AtWork: another process is at work on it.
        """
        folder = self._home.runs / identity
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder):
                return self._run(folder, identity, parameters)
        except OSError as error:
            raise SurroundingsFailed(
                f"run {identity} broke off: {error}", remedy=f"then: trimtab run --resume {identity}"
            ) from error

    def _run(self, folder: Path, identity: str, parameters: Mapping[str, Any]) -> Record:
        before = Record.read(folder)
        if before is not None and before.state == RunState.SUCCEEDED.value:
            return before  # by the process that was waited for
        record = Record(
            id=identity,
            key=str(parameters.get("key", "")),
            project=str(self._project),
            arguments={**parameters, "project": str(self._project)},
            started=_now(),
            tasks=tuple(task for task in before.tasks if task.succeeded) if before else (),
        )
        record.write(folder)

        def hear(event: Mapping[str, Any]) -> None:
            nonlocal record
            if event["event"] == "task_ended":
                task = self._task(event)
                others = (other for other in record.tasks if other.name != task.name)
                record = replace(record, tasks=(*others, task))
                record.write(folder)
            self._on_event(event)
            lineage(event)

        with self._lineage(record, folder) as lineage:
            ended = self._host().run(self._ir, record.arguments, folder, hear)
            keep_pages(folder)
            state = RunState.SUCCEEDED if ended["succeeded"] else RunState.FAILED
            said = "" if any(task.failure for task in record.tasks) else str(ended.get("error", ""))
            record = replace(record, state=state.value, ended=_now(), error=said)
            record.write(folder)
            lineage.end("" if state is RunState.SUCCEEDED else record.outcome())
        return record

    def _lineage(self, record: Record, folder: Path) -> RunLineage:
        """Where the run's events for catalogues go; nowhere, unless the platform or the command asked for it."""
        asked = self._prepared.openlineage
        return RunLineage(
            transport(asked) if asked else None,
            lambda said: self._on_event({"event": "warned", "said": said}),
            self._prepared.loaded,
            self._home,
            f"{record.id}/{record.started}",
            folder,
        )

    def _task(self, event: Mapping[str, Any]) -> TaskRecord:
        """The record of a task; a failure names the project's files as the user knows them."""
        rest = {key: value for key, value in event.items() if key not in ("event", "task")}
        if rest.get("failure"):
            sentence = str(rest["failure"]["sentence"]).replace(f"{self._project}/", "")
            rest["failure"] = {**rest["failure"], "sentence": sentence}
        return TaskRecord(name=event["task"], **rest)

    @staticmethod
    def resumable(prepared: Prepared, identity: str) -> Record:
        """The record of a run that failed or was killed.

        Raises:
            InputRefused: no such run, it ended well, or the project changed since.
        """
        record = Record.read(prepared.home.runs / identity)
        if record is None:
            raise InputRefused(f"there is no run '{identity}'", remedy="trimtab status shows the runs")
        if record.state == RunState.SUCCEEDED.value:
            raise InputRefused(f"run '{identity}' ended well: there is nothing to go on with",
                               remedy="trimtab run starts a new one")  # fmt: skip
        if record.project != str(prepared.bundle):
            raise InputRefused(
                f"the project changed since run '{identity}' began: it ran {Path(record.project).name}, "
                f"and this is {prepared.bundle.name}",
                remedy="undo the change, or start a new run: trimtab run",
            )
        return record

    def resume(self, record: Record) -> Record:
        """Go on with a run that `resumable` gave."""
        return self.run(record.id, {k: v for k, v in record.arguments.items() if k != "project"})


def keep_pages(folder: Path) -> None:
    """Put the pages of a run beside run.json: kfp keeps them deep, and without an ending."""
    for executed in sorted((folder / "artifacts").glob("*")):  # named by when they began: the latest wins
        for name, artefact in PAGES:
            if (executed / artefact).is_file():
                shutil.copyfile(executed / artefact, folder / name)


def run_id(key: str) -> str:
    """The folder's name of the run that a key asked for."""
    return f"key-{key[:16]}"


def new_id() -> str:
    """A run that a person asked for: the time it began, UTC."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]


def recorded(home: Home) -> list[Record]:
    """Every run of a project, the newest first."""
    found = [record for folder in home.runs.glob("*/") if (record := Record.read(folder))]
    return sorted(found, key=lambda record: record.started, reverse=True)


def latest(home: Home) -> str | None:
    """The id of the run that began last."""
    records = recorded(home)
    return records[0].id if records else None


def _now() -> str:
    return datetime.now(UTC).isoformat()

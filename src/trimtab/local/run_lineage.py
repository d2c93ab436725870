"""A pipeline run in OpenLineage's events: its start and end, and those of each task with what it read and wrote."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from trimtab.adapters.openlineage import Dataset, Job, Moment, Transport, run_event
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import TrimtabError
from trimtab.bootstrap.local import tables_here
from trimtab.ports.tables import Pointer

NAMESPACE_VARIABLE: Final = "OPENLINEAGE_NAMESPACE"
NAMESPACE: Final = "trimtab"
WRITES: Final = {"ingest": "sources", "build": "tables", "validate": "good", "featurize": "features"}
"""By task, the artefact that names the table versions which it leaves."""
READS: Final = {
    "build": "ingest", "validate": "build", "featurize": "validate", "train": "featurize", "evaluate": "featurize",
    "refit": "featurize", "export": "featurize", "materialize": "validate",
}  # fmt: skip
"""By task, the one whose table versions it reads."""


class RunLineage:
    """Events of one run, sent as they happen. An endpoint that fails is told of once, and left alone from then on.

    Args:
        send: None sends nothing.
        identity: of the run, and when this attempt at it began.
        folder: the run's.
        warn: hears the one sentence of a failure.
    """

    def __init__(
        self,
        send: Transport | None,
        warn: Callable[[str], None],
        loaded: Loaded,
        home: Home,
        identity: str,
        folder: Path,
    ) -> None:
        self._send, self._warn = send, warn
        self._loaded, self._home, self._identity, self._folder = loaded, home, identity, folder
        self._ended = False

    def __enter__(self) -> "RunLineage":
        self._tell(Moment.START, "")
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self._tell(Moment.ABORT, "")

    def __call__(self, event: Mapping[str, Any]) -> None:
        """An event of the pipeline host."""
        if event["event"] == "task_started":
            self._tell(Moment.START, event["task"])
        elif event["event"] == "task_ended":
            failure = event.get("failure") or {}
            moment = Moment.COMPLETE if event["succeeded"] else Moment.FAIL
            self._tell(moment, event["task"], str(failure.get("sentence", "")), event.get("outputs") or {})

    def end(self, error: str) -> None:
        """The run has ended.

        Args:
            error: why it failed; "" if it did not.
        """
        self._ended = True
        self._tell(Moment.FAIL if error else Moment.COMPLETE, "", error)

    def _tell(
        self, moment: Moment, task: str, error: str = "", outputs: Mapping[str, Any] | None = None
    ) -> None:
        if self._send is None:
            return
        try:
            self._send(self._event(moment, task, error, outputs or {}))
        except (OSError, ValueError, TrimtabError) as failure:
            self._send = None
            self._warn(f"openlineage: {failure}; the run goes on, and sends no more events")

    def _event(self, moment: Moment, task: str, error: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
        whole = Job(os.environ.get(NAMESPACE_VARIABLE, NAMESPACE), f"{self._loaded.project.name}.training")
        return run_event(
            moment,
            datetime.now(UTC),
            self._uuid(task),
            Job(whole.namespace, f"{whole.name}.{task}") if task else whole,
            kind="TASK" if task else "DAG",
            parent=(self._uuid(""), whole) if task else None,
            inputs=self._inputs(task),
            outputs=self._outputs(task, outputs) if moment is Moment.COMPLETE else (),
            error=error,
        )

    def _uuid(self, task: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self._home.path}/{self._identity}/{task}"))

    def _inputs(self, task: str) -> list[Dataset]:
        kind = task.partition("-")[0]  # kfp counts tasks of one name: export-2
        if kind == "ingest":
            sources = self._loaded.project.sources.values()
            return [Dataset("file", pattern) for source in sources for pattern in source.patterns]
        return [self._dataset(pointer) for pointer in self._pointers(READS.get(kind, ""))]

    def _outputs(self, task: str, outputs: Mapping[str, Any]) -> list[Dataset]:
        kind = task.partition("-")[0]
        if kind in WRITES:
            read = {pointer.table for pointer in self._pointers(READS.get(kind, ""))}
            return [self._dataset(one) for one in self._pointers(kind) if one.table not in read]
        if kind == "export" and (digest := outputs.get("digest")):
            return [Dataset("file", str(self._home.models / str(digest)[:16]), version=str(digest))]
        if kind == "register" and (version := outputs.get("version")):
            return [Dataset("mlflow", self._loaded.project.name, version=str(version))]
        return []

    def _pointers(self, task: str) -> list[Pointer]:
        """The table versions that a task left; the last attempt's."""
        left = sorted(self._folder.glob(f"artifacts/*/{task}/{WRITES.get(task, '-')}"))
        if not left:
            return []
        return [Pointer.from_json(one) for one in json.loads(left[-1].read_text()).values()]

    def _dataset(self, pointer: Pointer) -> Dataset:
        from trimtab.adapters.object_store import in_bucket, parts

        tables = tables_here(self._loaded, self._home)
        columns = {
            name: str(kind) for name, kind in tables.at(pointer.table, pointer.version).columns.items()
        }
        place, namespace = tables.address(pointer.table), "file"
        if in_bucket(place):  # named as OpenLineage names objects: by bucket, and key in it
            namespace, place = parts(place)
        else:
            place = str(Path(place).resolve())
        return Dataset(namespace, place, f"{pointer.version}", columns, pointer.rows)

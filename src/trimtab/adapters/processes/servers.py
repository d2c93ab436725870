"""ports.Servers over processes: one model server a revision."""

import http.client
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trimtab.adapters.http.refusal import refusal
from trimtab.adapters.processes.child import PORT, ChildSpec, ChildState, ChildStatus
from trimtab.adapters.processes.control import Control
from trimtab.api.errors import DataRefused
from trimtab.ports.servers import Revision, Server, ServerState, Warmed

KIND = "server"
DRAIN_S = 30.0
WARM_UP_HEADER = "x-trimtab-warmup"
TIMEOUT_S = 10.0

STATES = {
    ChildState.STARTING: ServerState.STARTING,
    ChildState.READY: ServerState.READY,
    ChildState.NOT_READY: ServerState.NOT_READY,
    ChildState.STOPPING: ServerState.GONE,
}


class LocalServers:
    """Model servers of one plane. Each call raises PlaneDown if the plane is not up.

    Args:
        arguments: says what each server is told besides its model: the online store, the sink for its events.
        moved: called after a server got an address.
        program: what runs a model server.
    """

    def __init__(
        self,
        control: Control,
        arguments: Callable[[], Sequence[str]],
        moved: Callable[[], None],
        program: Sequence[str] = (sys.executable, "-P", "-m", "trimtab.bootstrap.serving"),
    ) -> None:
        self._control = control
        self._arguments = arguments
        self._moved = moved
        self._program = tuple(program)

    def observed(self) -> Mapping[str, Server]:
        return {
            child.labels["revision"]: Server(
                revision=child.labels["revision"],
                state=STATES[child.state],
                since_s=child.since_s,
                restarts=child.restarts,
                message=child.message,
            )
            for child in self._children()
        }

    def ensure(self, model_name: str, revision: Revision) -> None:
        folder = _folder(revision.uri)
        before = self.port(revision.id)
        now = self._control.start(
            ChildSpec(
                name=_name(revision.id),
                argv=(
                    *self._program,
                    *("--model-dir", str(folder)),
                    *("--model-name", model_name),
                    *("--revision", revision.id),
                    *("--http-port", PORT),
                    *self._arguments(),
                ),
                wants_port=0,
                ready_path=f"/v2/models/{model_name}/ready",
                drain_s=DRAIN_S,
                labels={
                    "kind": KIND,
                    "revision": revision.id,
                    "version": revision.version,
                    "model_name": model_name,
                    "folder": str(folder),
                },
            )
        ).port
        if now != before:
            self._moved()

    def retire(self, revision: str) -> None:
        """Returns when it has answered what it had taken, sent its events and ended."""
        self._control.stop(_name(revision))

    def scale(self, revision: str, least: int) -> None:
        """One machine has one server a revision."""

    def warm(self, revision: str, requests: int) -> Warmed:
        child = self._child(revision)
        if child is None or child.port is None:
            return Warmed(0, "no server yet")
        rows = json.loads((Path(child.labels["folder"]) / "samples.json").read_text())
        if not rows:
            raise DataRefused(
                f"{child.labels['folder']}/samples.json holds no rows", remedy="export the model again"
            )
        path = f"/v1/models/{child.labels['model_name']}:predict"
        headers = {"Content-Type": "application/json", WARM_UP_HEADER: "1"}
        connection = http.client.HTTPConnection("127.0.0.1", child.port, timeout=TIMEOUT_S)
        answered, said = 0, ""
        try:
            for turn in range(requests):
                connection.request("POST", path, json.dumps({"instances": [rows[turn % len(rows)]]}), headers)
                answer = connection.getresponse()
                content = answer.read()
                if 200 <= answer.status < 300:
                    answered += 1
                else:
                    said = refusal(answer.status, content)
        except (OSError, http.client.HTTPException) as error:
            return Warmed(answered, f"no answer from 127.0.0.1:{child.port} ({error!r})")
        finally:
            connection.close()
        return Warmed(answered, said)

    def port(self, revision: str) -> int | None:
        """Where a revision's server listens on 127.0.0.1; None if it has none."""
        child = self._child(revision)
        return child.port if child else None

    def _child(self, revision: str) -> ChildStatus | None:
        return next((child for child in self._children() if child.labels["revision"] == revision), None)

    def _children(self) -> list[ChildStatus]:
        return [child for child in self._control.children() if child.labels.get("kind") == KIND]


def _name(revision: str) -> str:
    return f"server-{revision}"


def _folder(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))

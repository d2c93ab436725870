"""A Kubeflow Pipelines API server that keeps state and speaks the published models of v2beta1, with faults to order.

Requests and answers pass through kfp_server_api's own models: a field that they do not have is refused, as gRPC's
gateway does. Run parameters are held against the uploaded version, or the committed IR of a pipeline that has none;
cron lines have six fields, as robfig/cron v1 reads them.
"""

import email
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import kfp_server_api
import yaml

IR = Path(__file__).resolve().parents[4] / "pipelines" / "training.yaml"
PREFIX = "/pipeline/apis/v2beta1"
SLOW_S = 4.0
NOT_FOUND, EXISTS, INVALID = (404, 5), (409, 6), (400, 3)


class Refused(Exception):
    def __init__(self, kind: tuple[int, int], message: str) -> None:
        super().__init__(message)
        self.status, self.code = kind


@dataclass
class KfpApi:
    """The server's state.

    Attributes:
        faults: by "METHOD /path" prefix, what happens to the next such calls: `500`, `slow`, `lost` (takes effect,
            but no answer comes), `twice` (two rows), `unlisted` (a workflow without a row), `403`, `quota`.
        described: of pipelines, by id.
        versions, recurring: by id.
        workflows: ids of all that was really started.
        started: by those ids, what was asked for.
    """

    token: str = ""
    page: int = 100
    faults: dict[str, list[str]] = field(default_factory=dict)
    pipelines: dict[str, str] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    recurring: dict[str, Any] = field(default_factory=dict)
    experiments: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    workflows: list[str] = field(default_factory=list)
    started: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def fault(self, call: str) -> str:
        with self.lock:
            for prefix, waiting in self.faults.items():
                if call.startswith(prefix) and waiting:
                    return waiting.pop(0)
        return ""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, fault: str) -> Any:
        with self.lock:
            match method, path.strip("/").split("/"):
                case "GET", ["pipelines", "names", name]:
                    if name not in self.pipelines:
                        raise Refused(NOT_FOUND, f"Failed to get pipeline {name}: not found")
                    identity = self.pipelines[name]
                    about = self.described.get(identity)
                    return model(
                        "V2beta1Pipeline", pipeline_id=identity, display_name=name, description=about
                    )
                case "POST", ["pipelines"]:
                    return self._make_pipeline(read("V2beta1Pipeline", body))
                case "GET", ["pipelines", identity, "versions"]:
                    held = [one for one in self.versions.values() if one.pipeline_id == identity]
                    return self._page(query, "V2beta1ListPipelineVersionsResponse", "pipeline_versions", held)
                case "POST", ["pipelines", "upload_version"]:
                    return self._upload(query, body)
                case "GET", ["recurringruns"]:
                    held = self._of_experiment(self.recurring, query)
                    return self._page(query, "V2beta1ListRecurringRunsResponse", "recurring_runs", held)
                case "POST", ["recurringruns"]:
                    return self._recur(read("V2beta1RecurringRun", body))
                case "DELETE", ["recurringruns", identity]:
                    if identity not in self.recurring:
                        raise Refused(NOT_FOUND, f"Failed to get recurring run {identity}: not found")
                    del self.recurring[identity]
                    return None
                case "GET", ["experiments"]:
                    wanted = [e for e in self.experiments.values() if e.display_name == equals(query)]
                    return model("V2beta1ListExperimentsResponse", experiments=wanted)
                case "POST", ["experiments"]:
                    return self._make_experiment(read("V2beta1Experiment", body))
                case "GET", ["runs"]:
                    found = self._of_experiment(self.runs, query)
                    return self._page(query, "V2beta1ListRunsResponse", "runs", found)
                case "POST", ["runs"]:
                    return self._start(read("V2beta1Run", body), query, fault)
                case "GET", ["runs", identity]:
                    return self._run(identity)
                case "POST", ["runs", act] if act.endswith(":terminate"):
                    self._run(act.removesuffix(":terminate")).state = "CANCELING"
                    return None
        raise Refused(NOT_FOUND, "Not Found")

    def end(self, identity: str, state: str, error: str = "", step: str = "") -> None:
        """What the workflow controller reports."""
        run = self.runs[identity]
        run.state = state
        if step:
            task = model("V2beta1PipelineTaskDetail", display_name=step, state="FAILED", error=status(error))
            run.run_details = model("V2beta1RunDetails", task_details=[task])
        elif error:
            run.error = status(error)

    def _make_experiment(self, wanted: Any) -> Any:
        if any(e.display_name == wanted.display_name for e in self.experiments.values()):
            raise Refused(EXISTS, f"Failed to create experiment {wanted.display_name}. Already exists")
        wanted.experiment_id = str(uuid4())
        self.experiments[wanted.experiment_id] = wanted
        return wanted

    def _make_pipeline(self, wanted: Any) -> Any:
        if wanted.display_name in self.pipelines:
            raise Refused(EXISTS, f"Failed to create pipeline {wanted.display_name}. Already exists")
        wanted.pipeline_id = self.pipelines[wanted.display_name] = str(uuid4())
        self.described[wanted.pipeline_id] = wanted.description or ""
        return wanted

    def _upload(self, query: dict[str, str], content: bytes) -> Any:
        pipeline, name = query["pipelineid"], query["name"]
        if pipeline not in self.pipelines.values():
            raise Refused(INVALID, "pipeline not found")
        if any((one.pipeline_id, one.display_name) == (pipeline, name) for one in self.versions.values()):
            raise Refused(EXISTS, f"Failed to create pipeline version {name}. Already exists")
        documents = [*yaml.safe_load_all(content)]
        made = model("V2beta1PipelineVersion", pipeline_id=pipeline, pipeline_version_id=str(uuid4()), name=name,
                     display_name=name, pipeline_spec=documents[0], created_at=self._now())  # fmt: skip
        self.versions[made.pipeline_version_id] = made
        return made

    def _recur(self, wanted: Any) -> Any:
        self._check_reference(wanted)
        check_cron(wanted.trigger.cron_schedule.cron)
        wanted.recurring_run_id, wanted.created_at = str(uuid4()), self._now()
        self.recurring[wanted.recurring_run_id] = wanted
        return wanted

    def _check_reference(self, wanted: Any) -> None:
        """A run's experiment, pipeline, version and parameters."""
        if wanted.experiment_id not in self.experiments:
            raise Refused(INVALID, "experiment not found")
        asked = wanted.pipeline_version_reference
        if asked.pipeline_id not in self.pipelines.values():
            raise Refused(INVALID, "pipeline not found")
        if asked.pipeline_version_id and asked.pipeline_version_id not in self.versions:
            raise Refused(INVALID, "pipeline version not found")
        held = [one for one in self.versions.values() if one.pipeline_id == asked.pipeline_id]
        version = self.versions.get(asked.pipeline_version_id) or (held[-1] if held else None)
        spec = version.pipeline_spec if version else committed_ir()
        check_parameters(spec["root"]["inputDefinitions"]["parameters"], wanted.runtime_config.parameters)

    def _of_experiment(self, held: dict[str, Any], query: dict[str, str]) -> list[Any]:
        found = [one for one in held.values() if one.experiment_id == query["experiment_id"]]
        return found[::-1] if query.get("sort_by") == "created_at desc" else found

    def _page(self, query: dict[str, str], kind: str, key: str, found: list[Any]) -> Any:
        if "filter" in query:
            found = [one for one in found if one.display_name == equals(query)]
        first = int(query.get("page_token", "0"))
        size = min(self.page, int(query.get("page_size", "10")))
        after = str(first + size) if len(found) > first + size else None
        return model(kind, **{key: found[first : first + size], "next_page_token": after})

    def _now(self) -> datetime:
        """Each thing is made a second after the one before."""
        return datetime.now(UTC) + timedelta(
            seconds=len(self.runs) + len(self.recurring) + len(self.versions)
        )

    def _start(self, wanted: Any, query: dict[str, str], fault: str) -> Any:
        if query.get("experiment_id") != wanted.experiment_id:
            raise Refused(INVALID, "experiment not found")
        self._check_reference(wanted)
        made = None
        for _ in range(2 if fault == "twice" else 1):
            identity = str(uuid4())
            self.workflows.append(identity)
            self.started[identity] = wanted
            if fault == "unlisted":
                raise Refused((500, 13), "Failed to create a run row: database is locked")
            at = self._now()
            told = {key: getattr(wanted, key) for key in type(wanted).attribute_map}
            made = model("V2beta1Run", **{**told, "run_id": identity, "created_at": at, "state": "PENDING"})
            self.runs[identity] = made
        return made

    def _run(self, identity: str) -> Any:
        if identity not in self.runs:
            raise Refused(NOT_FOUND, f"Failed to get run {identity}: not found")
        return self.runs[identity]


@cache
def committed_ir() -> dict[str, Any]:
    document: dict[str, Any] = next(yaml.safe_load_all(IR.read_text()))
    return document


def check_cron(line: str) -> None:
    """Six fields, the seconds first; the last day of a week is 6."""
    fields = line.split()
    if len(fields) != 6:
        raise Refused(INVALID, f"Expected 6 fields, found {len(fields)}: {line}")
    if "7" in fields[5]:
        raise Refused(INVALID, "End of range (7) above maximum (6)")


def check_parameters(declared: dict[str, Any], given: dict[str, Any]) -> None:
    kinds = {"STRING": str, "BOOLEAN": bool}
    for name, value in given.items():
        if name not in declared:
            raise Refused(INVALID, f"parameter {name} is not in the pipeline")
        if not isinstance(value, kinds[declared[name]["parameterType"]]):
            raise Refused(INVALID, f"parameter {name} is of another type")
    for name, one in declared.items():
        if not one.get("isOptional") and name not in given:
            raise Refused(INVALID, f"parameter {name} is missing")


def model(kind: str, **fields: Any) -> Any:
    return getattr(kfp_server_api, kind)(**fields)


def status(message: str) -> Any:
    return kfp_server_api.GoogleRpcStatus(code=2, message=message)


def read(kind: str, body: Any) -> Any:
    """A request's body as the published model: a field that it lacks, or one of another type, is refused."""
    known = set(getattr(kfp_server_api, kind).attribute_map.values())
    if unknown := set(body) - known:
        raise Refused(INVALID, f"unknown field {unknown} in {kind}")

    class Body:
        data = json.dumps(body)

    return kfp_server_api.ApiClient().deserialize(Body, kind)


def uploaded(kind: str, content: bytes) -> bytes:
    """The file of an upload form."""
    message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + content)
    (part,) = [
        one for one in message.walk() if one.get_param("name", header="content-disposition") == "uploadfile"
    ]
    file = part.get_payload(decode=True)
    assert isinstance(file, bytes)
    return file


def equals(query: dict[str, str]) -> str:
    """The name that a filter asks for."""
    asked = json.loads(query["filter"])
    (predicate,) = asked["predicates"]
    held = read("V2beta1Predicate", predicate)
    assert (held.operation, held.key) == ("EQUALS", "display_name")
    return str(held.string_value)


@contextmanager
def serving(api: KfpApi) -> Iterator[KfpApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.handle_call("GET")

        def do_POST(self) -> None:
            self.handle_call("POST")

        def do_DELETE(self) -> None:
            self.handle_call("DELETE")

        def handle_call(self, method: str) -> None:
            parts = urllib.parse.urlsplit(self.path)
            path, query = parts.path.removeprefix(PREFIX), dict(urllib.parse.parse_qsl(parts.query))
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            kind = self.headers.get("content-type") or ""
            body = uploaded(kind, content) if kind.startswith("multipart") else json.loads(content or b"null")
            fault = api.fault(f"{method} {path}")
            api.calls.append(f"{method} {path}")
            if api.token and self.headers.get("authorization") != f"Bearer {api.token}":
                return self.reply(
                    401, {"code": 16, "message": "Request header error: there is no user identity"}
                )
            if fault == "500":
                return self.reply(500, {"code": 13, "message": "Internal error: dial tcp: mysql"})
            if fault == "403":
                return self.reply(
                    403, {"code": 7, "message": "User 'x' is not authorized to create pipelines"}
                )
            if fault == "quota":
                return self.reply(
                    429, {"code": 8, "message": "pods 'flights' is forbidden: exceeded quota: gpus"}
                )
            if fault == "slow":
                time.sleep(SLOW_S)
            try:
                answer = api.answer(method, path, query, body, fault)
                content = kfp_server_api.ApiClient().sanitize_for_serialization(answer)
            except Refused as refused:
                return self.reply(refused.status, {"code": refused.code, "message": str(refused)})
            if fault == "lost":
                return self.connection.close()
            return self.reply(200, content or {})

        def reply(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None: ...

    committed_ir()  # read before a call waits for it
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        api.url = f"http://127.0.0.1:{server.server_port}/pipeline"
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

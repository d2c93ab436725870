"""A small real model folder, an online store with rows, a sink, and server processes."""

import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract.serving.collecting import Collecting

MODEL = "flights"
REVISION = "1a2b3c4d"

FEATURES = '''
"""Two features that need each kind of input."""
import numpy as np
from trimtab.features import Columns, Request, View

REQUEST = Request(scheduled_departure="timestamp", carrier="string", origin="string", distance="number",
                  holiday="boolean")
VIEWS = (
    View("weather", by="origin", time="time_hour", max_age="3h", columns=("temp",)),
    View("carriers", by="carrier", columns={"rate": "carrier_rate", "name": "carrier_name"}),
)


def transform(rows: Columns) -> Columns:
    if (rows["distance"] == 666).any():
        raise ValueError("a distance that this transform does not like")
    hour = rows["scheduled_departure"].astype("datetime64[h]").astype(np.int64) % 24
    return {"hour": np.where(np.isnat(rows["scheduled_departure"]), np.nan, hour), "distance": rows["distance"],
            "temp": rows["temp"], "carrier_rate": rows["carrier_rate"], "holiday": rows["holiday"],
            "carrier": rows["carrier"]}
'''

WEIGHTS = {"hour": 0.05, "distance": 0.001, "temp": -0.02, "carrier_rate": 2.0, "holiday": 0.4}
BACKGROUND = {
    "hour": [6, 12, 18], "distance": [200, 800, 2400], "temp": [30, 60, None], "carrier_rate": [0.1, 0.2, 0.3],
    "holiday": [0, 0, 1], "carrier": ["UA", "", "AA"],
}  # fmt: skip
CARRIERS = {"UA": 0.3, "AA": -0.2, "B6": 0.1}


def expected(hour: Any, distance: Any, temp: Any, rate: Any, holiday: Any, carrier: str) -> float:
    """The model's positive probability, computed by hand; None is missing and counts as 0."""
    values = [hour, distance, temp, rate, holiday]
    score = sum(w * (0.0 if v is None else v) for w, v in zip(WEIGHTS.values(), values, strict=True))
    return 1 / (1 + float(np.exp(-(score - 1 + CARRIERS.get(carrier, 0.0)))))


def build_model(path: Path) -> None:
    """Logistic model with named inputs, missing numbers taken as 0, one categorical by ordinal map."""
    import onnx
    from onnx import TensorProto, helper

    nodes = []
    for name in WEIGHTS:
        nodes.append(helper.make_node("IsNaN", [name], [f"{name}_nan"]))
        nodes.append(helper.make_node("Where", [f"{name}_nan", "zero", name], [f"{name}_filled"]))
    nodes.append(
        helper.make_node(
            "LabelEncoder",
            ["carrier"],
            ["carrier_value"],
            domain="ai.onnx.ml",
            keys_strings=list(CARRIERS),
            values_floats=list(CARRIERS.values()),
            default_float=0.0,
        )
    )
    filled = [f"{name}_filled" for name in WEIGHTS]
    nodes += [
        helper.make_node("Concat", [*filled, "carrier_value"], ["matrix"], axis=1),
        helper.make_node("MatMul", ["matrix", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["late"]),
        helper.make_node("Sub", ["one", "late"], ["on_time"]),
        helper.make_node("Concat", ["on_time", "late"], ["probabilities"], axis=1),
    ]
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in WEIGHTS]
    texts = [helper.make_tensor_value_info("carrier", TensorProto.STRING, ["batch", 1])]
    constants = {
        "zero": np.float32([[0]]),
        "one": np.float32([[1]]),
        "bias": np.float32([-1]),
        "weights": np.float32([[w] for w in [*WEIGHTS.values(), 1.0]]),
    }
    graph = helper.make_graph(
        nodes,
        "late",
        floats + texts,
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def build_folder(path: Path) -> Path:
    from trimtab.features import Field, ServingPlan, load_features
    from trimtab.features.plan import LabelRule, planned_views

    path.mkdir(parents=True)
    (path / "features.py").write_text(FEATURES)
    build_model(path / "model.onnx")
    definition = load_features(path / "features.py")
    kinds = {"weather": {"temp": "number"}, "carriers": {"rate": "number", "name": "string"}}
    plan = ServingPlan(
        model_name=MODEL,
        inputs=tuple(Field(name, kind) for name, kind in definition.request.items()),
        key=("flight_id",),
        time="scheduled_departure",
        views=planned_views(definition, kinds),
        transform_digest=definition.digest,
        outputs=(*(Field(name, "number") for name in WEIGHTS), Field("carrier", "string")),
        task="binary",
        classes=("0", "1"),
        label=LabelRule("late", "label_known_at", 86400.0),
    )
    (path / "plan.json").write_text(plan.to_json())
    (path / "background.json").write_text(json.dumps(BACKGROUND))
    write_manifest(path)
    return path


def write_manifest(path: Path) -> None:
    files = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.iterdir())
        if file.name != "manifest.json"
    }
    (path / "manifest.json").write_text(json.dumps({"files": files}))


def build_store(path: Path) -> Path:
    from trimtab.adapters.online import SqliteOnlineStore

    store = SqliteOnlineStore(path)
    fill(store)
    store.close()
    return path


def fill(store: Any) -> None:
    store.write(
        "weather",
        {"temp": "number"},
        ["EWR", "JFK"],
        np.array(["2013-07-01T12:00", "2013-07-01T08:00"], "datetime64[us]"),
        {"temp": np.array([70.0, 60.0])},
    )
    store.write(
        "carriers",
        {"rate": "number", "name": "string"},
        ["UA", "AA"],
        None,
        {"rate": np.array([0.25, 0.5]), "name": np.array(["United", "American"], dtype=object)},
    )


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server process that was started and answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    grpc_port: int | None = None

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def infer(self, body: Any, headers: dict[str, str] | None = None) -> Reply:
        return self.send("POST", f"/v2/models/{MODEL}/infer", body, headers)

    def predict(self, body: Any, headers: dict[str, str] | None = None) -> Reply:
        return self.send("POST", f"/v1/models/{MODEL}:predict", body, headers)

    def logged(self) -> dict[str, int]:
        counts: dict[str, int] = self.send("GET", "/trimtab/logged").json
        assert counts.pop("pid") == self.process.pid
        return counts

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


Start = Callable[..., Server]


def eventually(true: Callable[[], Any], within_s: float = 60.0) -> Any:
    """The first true answer; polls until the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        if found := true():
            return found
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)


def launch(folder: Path, log: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "trimtab.bootstrap.serving", "--model-dir", str(folder)]
    command += ["--model-name", MODEL, "--revision", REVISION, "--http-port", "0", *more]
    with log.open("wb") as stderr:
        return subprocess.Popen(command, stdout=stderr, stderr=stderr, env=dict(os.environ))


def answering(process: subprocess.Popen[bytes], log: Path) -> Server:
    def ports() -> re.Match[str] | None:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text()}")
        return re.search(r"answers at http://[\d.]+:(\d+)(?: and grpc://[\d.]+:(\d+))?\n", log.read_text())

    http_port, grpc_port = eventually(ports, 60).groups()
    return Server(process, int(http_port), log, int(grpc_port) if grpc_port else None)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tmp_path_factory.mktemp("model") / "folder")


@pytest.fixture(scope="session")
def online(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_store(tmp_path_factory.mktemp("online") / "online.db")


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts server processes, which end with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(*more: str, of: Path = folder) -> Server:
        log = tmp_path / f"server-{len(processes)}.log"
        processes.append(launch(of, log, *more))
        return answering(processes[-1], log)

    yield started
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def server(folder: Path, online: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with an online store and no sink, for all tests that only ask."""
    log = tmp_path_factory.mktemp("server") / "log"
    process = launch(folder, log, "--online", str(online))
    try:
        yield answering(process, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def sink() -> Iterator[Collecting]:
    collecting = Collecting()
    collecting.open()
    yield collecting
    collecting.close()


@dataclass
class Logged:
    """A server and its sink, shared by tests: counts are since the test began."""

    server: Server
    sink: Collecting
    before: dict[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        return {name: count - self.before.get(name, 0) for name, count in self.server.logged().items()}


@pytest.fixture(scope="session")
def shared_logged(folder: Path, online: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    sink = Collecting()
    sink.open()
    log = tmp_path_factory.mktemp("logged") / "log"
    more = ("--online", str(online), "--sink", sink.url, "--namespace", "prod", "--grpc-port", "0")
    process = launch(folder, log, *more)
    try:
        yield Logged(answering(process, log), sink)
    finally:
        process.kill()
        process.wait()
        sink.close()


@pytest.fixture
def logged(shared_logged: Logged) -> Logged:
    """With nothing in flight, a sink that takes everything, and no event in it."""
    server, sink = shared_logged.server, shared_logged.sink
    sink.status, sink.delay_s = 202, 0.0
    eventually(lambda: server.logged()["in_flight"] == 0)
    sink.events.clear()
    sink.batches.clear()
    return Logged(server, sink, server.logged())


def columns(**values: list[Any]) -> dict[str, list[Any]]:
    """A request of two rows in form (a), with replacements."""
    base: dict[str, list[Any]] = {
        "scheduled_departure": ["2013-07-01T13:30:00Z", "2013-07-01T09:30:00-04:00"],
        "carrier": ["UA", "AA"],
        "origin": ["EWR", "JFK"],
        "distance": [500, 1000.5],
        "holiday": [False, True],
    }
    return {**base, **values}


KINDS = {"scheduled_departure": "BYTES", "carrier": "BYTES", "origin": "BYTES", "holiday": "BOOL"}


def v2(values: dict[str, list[Any]], **more: Any) -> dict[str, Any]:
    inputs = [
        {"name": name, "shape": [len(data), 1], "datatype": KINDS.get(name, "FP64"), "data": data}
        for name, data in values.items()
    ]
    return {"inputs": inputs, **more}


def v1(values: dict[str, list[Any]], **more: Any) -> dict[str, Any]:
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return {"instances": rows, **more}


# Row 0: EWR's weather of 12:00 holds at 13:30. Row 1: JFK's of 08:00 is 5.5 h old at 13:30 UTC, past 3 h.
EXPECTED = [expected(13, 500, 70, 0.25, 0, "UA"), expected(13, 1000.5, None, 0.5, 1, "AA")]

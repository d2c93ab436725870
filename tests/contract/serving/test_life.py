"""A server process from start to end: what it refuses to start with, what it weighs, how it drains."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.standstill import Standstill

from .conftest import (
    MODEL,
    Collecting,
    Server,
    Start,
    build_folder,
    columns,
    eventually,
    launch,
    v2,
)

pytestmark = pytest.mark.xdist_group("serving")


def ends(folder: Path, tmp_path: Path, *more: str) -> tuple[int, str]:
    """Exit status and what was said."""
    log = tmp_path / "log"
    process = launch(folder, log, *more)
    try:
        return process.wait(60), log.read_text()
    finally:
        process.kill()


def test_it_ends_with_status_0_at_sigint(start: Start):
    server = start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0


def test_sigterm_under_load_answers_every_request_it_took_and_flushes_the_log(
    start: Start, online: Path, sink: Collecting
):
    server = start("--online", str(online), "--sink", sink.url)
    sink.delay_s = 0.05
    body = json.dumps(v2(columns())).encode()
    answered, broken = [0] * 8, []

    def load(number: int) -> None:
        """One kept-alive connection, until the server closes it; an answer cut short is a fault."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        while True:
            try:
                connection.request("POST", f"/v2/models/{MODEL}/infer", body)
                reply = connection.getresponse()
            except (ConnectionError, http.client.RemoteDisconnected):
                return
            try:
                whole = len(reply.read())
            except http.client.IncompleteRead as cut:
                broken.append(cut)
                return
            if reply.status != 200 or not whole:
                broken.append(reply.status)
            answered[number] += 1

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: min(answered) > 20)
    assert server.stop() == 0
    for thread in threads:
        thread.join(20)
    assert not broken
    ids = [event["id"] for event in sink.events]
    assert len(ids) == len(set(ids))
    assert sum(answered) <= len(ids) <= sum(answered) + 8


def test_a_dead_sink_does_not_keep_it_from_ending(start: Start, online: Path, sink: Collecting):
    server = start("--online", str(online), "--sink", sink.url)
    sink.shut()
    server.infer(v2(columns()))
    assert server.stop() == 0
    assert "1 events could not be sent" in server.log.read_text()


def test_it_starts_light(start: Start, online: Path):
    """≤ 5 s (three times that is asserted), ≤ 350 MB once it has predicted, and no library it does not use."""
    with Standstill() as still:
        began = time.monotonic()
        server = start("--online", str(online))
        assert still.since_s(began) < 15
    server.infer(v2(columns()))
    server.send("GET", "/metrics")
    rollup = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text().splitlines()
    pss_kb = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    assert pss_kb < 350 * 1024
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert not [name for name in ("torch", "duckdb", "arrow", "pandas", "sklearn") if name in mapped]


def test_it_imports_nothing_that_serving_does_not_need():
    code = """
import sys
from trimtab.serving import lean_kserve
lean_kserve.prepare()
from trimtab.bootstrap import serving
from trimtab.serving import folder, kserve_model, payload_log, predictor, server, service
from trimtab.adapters.online import SqliteOnlineStore
with server._no_arguments():
    import kserve.model_server
import kserve.protocol.rest.server
unwanted = {"feast", "mlflow", "torch", "ray", "kfp", "duckdb", "pandas", "pyarrow", "sklearn", "kubernetes", "scipy"}
print(sorted(unwanted & sys.modules.keys()))
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "[]"


def test_kserves_helpers_still_find_pandas():
    code = """
from trimtab.serving import lean_kserve
lean_kserve.prepare()
from kserve.protocol.infer_type import InferInput, InferRequest
frame = InferRequest("m", [InferInput("a", [2], "FP64", [1.0, 2.0])]).as_dataframe()
import pandas
assert type(frame) is pandas.DataFrame and list(frame["a"]) == [1, 2]
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr


def test_a_bad_folder_is_told_without_a_traceback(tmp_path: Path):
    spoilt = build_folder(tmp_path / "spoilt")
    with (spoilt / "model.onnx").open("ab") as file:
        file.write(b"x")
    status, said = ends(spoilt, tmp_path)
    assert status == 2
    assert "model.onnx: sha256 is" in said
    assert "remedy:" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken(folder: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = ends(folder, tmp_path, "--http-port", str(taken.getsockname()[1]))
    assert status == 4
    assert "cannot listen on 127.0.0.1" in said
    assert "Traceback" not in said


def test_an_address_of_a_sink_that_is_none(folder: Path, tmp_path: Path):
    status, said = ends(folder, tmp_path, "--sink", "collector:8080")
    assert status == 2
    assert "--sink collector:8080" in said


def test_a_server_says_where_it_answers(server: Server):
    assert f"{MODEL}/1a2b3c4d answers at http://127.0.0.1:{server.port}" in server.log.read_text()

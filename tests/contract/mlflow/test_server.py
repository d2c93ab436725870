"""A registry behind a real `mlflow server`, its artefacts proxied; and servers that hang, refuse, or are none."""

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mlflow.server_process import ServerProcess
from tests.standstill import Standstill
from trimtab.api.errors import InputRefused, SurroundingsFailed

pytestmark = pytest.mark.xdist_group("mlflow")
PROFILE_FILES = ("profile.json", "samples.json")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server.address
    finally:
        server.stop()


@pytest.fixture
def server(address: str) -> Any:
    from trimtab.adapters.mlflow import MlflowServer

    return MlflowServer(address, timeout_s=60.0)


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Any]:
    """A model folder with a true profile of so many rows."""
    from trimtab.drift import learn_profile
    from trimtab.steps.model_folder import write_model_folder

    def make(rows: int = 500) -> Any:
        import numpy as np

        draw = np.random.default_rng(rows)
        files = {
            "model.onnx": os.urandom(8),
            "profile.json": learn_profile({"visits": draw.normal(size=rows)}).to_bytes(),
            "samples.json": json.dumps([{"visits": 1.5}]).encode(),
        }
        return write_model_folder(tmp_path / "models", files, {"trimtab.rows": str(rows)})

    return make


@pytest.fixture
def registered(server: Any) -> Callable[..., Any]:
    """A folder as a version of a model."""
    from trimtab.adapters.mlflow import MlflowServerRegistry
    from trimtab.adapters.mlflow.profiles import KEPT

    def register(name: str, folder: Any) -> Any:
        registry = MlflowServerRegistry(server, [folder.path / file for file in KEPT])
        return registry.register(name, f"s3://models/{folder.digest[:16]}", folder.digest, {"rows": "10"})

    return register


def test_versions_tags_and_aliases_are_those_of_mlflows_own_client(
    server: Any, address: str, model: Any, registered: Any
) -> None:
    from trimtab.adapters.mlflow import MlflowRegistry, MlflowServerRegistry

    registry, own = MlflowServerRegistry(server), MlflowRegistry(address)
    assert registry.versions("flights") == []
    assert registry.alias("flights", "candidate") is None
    assert registry.version("flights", "1") is None
    folder = model()
    first, again = registered("flights", folder), registered("flights", folder)
    assert first == again
    second = registry.register("flights", "s3://models/other", "d2", {"rows": "1"})
    assert registry.alias("flights", "candidate") is None  # of a model that is there by now
    registry.set_alias("flights", "candidate", first.version)
    registry.tag("flights", first.version, "trimtab.rejected.r1", "loss is worse: 5 > 4, ä")
    assert registry.versions("flights") == own.versions("flights")
    assert [held.version for held in registry.versions("flights")] == ["1", "2"]
    assert registry.alias("flights", "candidate") == own.alias("flights", "candidate")
    held = registry.version("flights", "1")
    assert held is not None
    assert held.tags["trimtab.rejected.r1"] == "loss is worse: 5 > 4, ä"
    assert second.digest == "d2"
    registry.untag("flights", "1", "trimtab.rejected.r1")
    registry.untag("flights", "1", "trimtab.rejected.r1")
    assert "trimtab.rejected.r1" not in own.version("flights", "1").tags


def test_the_operator_gets_profile_and_samples_through_the_registry_alone(
    server: Any, model: Any, registered: Any, tmp_path: Path
) -> None:
    from trimtab.adapters.mlflow import MlflowProfiles

    folder = model()
    uri = registered("watched", folder).uri
    profiles = MlflowProfiles(server, "watched", tmp_path / "cache")
    assert profiles.profile(uri) == (folder.path / "profile.json").read_bytes()
    assert profiles.rows(uri) == [{"visits": 1.5}]


def test_what_was_proven_once_is_not_fetched_again(
    server: Any, model: Any, registered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.mlflow import MlflowProfiles

    uri = registered("cached", model()).uri
    first = MlflowProfiles(server, "cached", tmp_path / "cache").profile(uri)
    monkeypatch.setattr(server, "artefact", lambda *_: pytest.fail("fetched"))
    assert MlflowProfiles(server, "cached", tmp_path / "cache").profile(uri) == first


def test_files_of_another_model_or_garbage_are_refused_by_name(
    server: Any, address: str, model: Any, registered: Any, tmp_path: Path
) -> None:
    from trimtab.adapters.mlflow import MlflowProfiles, MlflowServerRegistry
    from trimtab.adapters.mlflow.client import client
    from trimtab.adapters.mlflow.server_registry import versions_of

    profiles = MlflowProfiles(server, "odd", tmp_path / "cache")
    registry = MlflowServerRegistry(server)
    with pytest.raises(InputRefused, match="no version of odd whose source is s3://nowhere"):
        profiles.profile("s3://nowhere")
    registry.register("odd", "s3://models/bare", "d1", {})
    with pytest.raises(InputRefused, match=r"version 1 of odd has no profile.json: it was not registered"):
        profiles.profile("s3://models/bare")
    assert profiles.rows("s3://models/bare") == ()
    one, other = model(400), model(600)
    uri = registered("odd", one).uri
    run = versions_of(server, "odd")[-1]["run_id"]
    client(address).log_artifact(run, str(other.path / "profile.json"), "model")
    with pytest.raises(InputRefused, match=rf"profile.json in run {run} is not the one of version 2 of odd"):
        profiles.profile(uri)
    client(address).log_artifact(run, str(other.path / "manifest.json"), "model")
    with pytest.raises(InputRefused, match=f"files of another model .* of {other.digest[:12]}"):
        profiles.profile(uri)
    garbage = tmp_path / "manifest.json"
    garbage.write_text("[]")
    client(address).log_artifact(run, str(garbage), "model")
    with pytest.raises(InputRefused, match="files of another model"):
        profiles.profile(uri)


def test_a_profile_that_is_none_is_refused_though_its_digest_is_right(
    server: Any, registered: Any, tmp_path: Path
) -> None:
    from trimtab.adapters.mlflow import MlflowProfiles
    from trimtab.steps.model_folder import write_model_folder

    files = {"profile.json": b'{"format": "other"}', "samples.json": b'{"no": "list"}'}
    uri = registered("none", write_model_folder(tmp_path / "m", files, {})).uri
    profiles = MlflowProfiles(server, "none", tmp_path / "cache")
    with pytest.raises(InputRefused, match="not a reference profile"):
        profiles.profile(uri)
    with pytest.raises(InputRefused, match="no list of requests"):
        profiles.rows(uri)


def test_a_version_that_can_be_seen_has_its_files(
    server: Any, address: str, model: Any, tmp_path: Path
) -> None:
    """Killed between upload and version: there is no version; the next try makes it, with files."""
    from trimtab.adapters.mlflow import MlflowProfiles, MlflowServerRegistry
    from trimtab.adapters.mlflow.profiles import KEPT

    folder = model()
    missing = MlflowServerRegistry(server, [folder.path / "manifest.json", tmp_path / "not-there.json"])
    with pytest.raises(SurroundingsFailed):
        missing.register("cut", "s3://models/cut", folder.digest, {})
    assert missing.versions("cut") == []
    whole = MlflowServerRegistry(server, [folder.path / file for file in KEPT])
    whole.register("cut", "s3://models/cut", folder.digest, {})
    assert MlflowProfiles(server, "cut", tmp_path / "cache").profile("s3://models/cut")


def test_a_name_with_a_quote_reaches_no_other_model(server: Any) -> None:
    from trimtab.adapters.mlflow import MlflowServerRegistry

    with pytest.raises(InputRefused):
        MlflowServerRegistry(server).versions("a' OR name='flights")


def test_a_server_that_hangs_is_given_up_within_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry

    monkeypatch.setitem(MlflowServer.__init__.__kwdefaults__, "timeout_s", 600.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = MlflowServerRegistry(
            MlflowServer(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
        )
        with Standstill() as still:
            began = time.monotonic()
            with pytest.raises(SurroundingsFailed, match="does not answer"):
                registry.alias("flights", "candidate")
            assert still.since_s(began) < 3
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()  # it was asked once


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (500, b"oops", SurroundingsFailed, "answered 500: oops"),
        (401, b'{"message": "who are you"}', SurroundingsFailed, "answered 401: who are you"),
        (200, b"<html>a login page", SurroundingsFailed, "is not MLflow"),
        (
            400,
            b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}',
            InputRefused,
            "answered 400: no",
        ),
    ],
)
def test_what_a_server_refuses_or_breaks_is_told(status: int, body: bytes, error: Any, said: str) -> None:
    from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    seen: list[str] = []
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as odd:
        threading.Thread(target=odd.serve_forever, daemon=True).start()
        try:
            registry = MlflowServerRegistry(MlflowServer(f"http://127.0.0.1:{odd.server_port}"))
            with pytest.raises(error, match=said):
                registry.alias("flights", "candidate")
        finally:
            odd.shutdown()
    assert len(seen) == 1


def test_reading_a_registry_imports_no_mlflow() -> None:
    code = (
        "import sys; from trimtab.adapters.mlflow import MlflowServer, MlflowServerRegistry, MlflowProfiles;"
        "MlflowServerRegistry(MlflowServer('http://127.0.0.1:1'));"
        "assert not {'mlflow', 'sqlalchemy', 'pandas', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_digest_is_that_of_the_model_folder(model: Any) -> None:
    from trimtab.adapters.mlflow.profiles import files_of, folder_digest

    folder = model()
    listed = files_of((folder.path / "manifest.json").read_bytes())
    assert folder_digest(listed) == folder.digest
    for file in PROFILE_FILES:
        assert listed[file] == hashlib.sha256((folder.path / file).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "source", ["pvc://models/flights/0123", "s3://models/flights/0123", "gs://models/0123"]
)
def test_addresses_that_kserve_can_load_are_taken(server: Any, source: str) -> None:
    from trimtab.adapters.mlflow import MlflowServerRegistry

    registry = MlflowServerRegistry(server)
    assert registry.register("sources", source, f"digest of {source}", {}).uri == source


def test_a_path_of_this_machine_is_no_address_for_others(server: Any) -> None:
    from trimtab.adapters.mlflow import MlflowServerRegistry

    with pytest.raises(InputRefused, match="local path"):
        MlflowServerRegistry(server).register("sources", "/home/me/models/1", "local", {})

"""A model server told where its columns are looked up: in Redis as in the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.redis_server import RedisServer
from trimtab.adapters.online import online_store

from .conftest import MODEL, Server, Start, columns, eventually, fill, launch, v2

pytestmark = pytest.mark.xdist_group("serving")
SECRET = "s3cret/@:#"


@pytest.fixture
def redis_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    server = RedisServer(tmp_path / "redis", password=SECRET)
    yield server
    server.kill()


def test_a_server_reads_redis_as_it_reads_the_file(start: Start, server: Server, redis_server: RedisServer):
    address = f"redis://:${{REDIS_PASSWORD}}@127.0.0.1:{redis_server.port}/0"
    fill(online_store(address, MODEL))
    reader = start("--online", address)
    asked = v2(columns())
    held = server.infer(asked)
    assert held.status == 200
    assert eventually(lambda: reader.infer(asked).status == 200)
    assert reader.infer(asked).json["outputs"] == held.json["outputs"]

    redis_server.kill()
    refused = reader.infer(asked)
    assert refused.status == 503
    assert (
        f"the online store at redis://127.0.0.1:{redis_server.port}/0 cannot be reached"
        in refused.json["error"]
    )
    assert (
        reader.send("GET", "/v2/health/ready").status == 200
    )  # requests that carry all columns are answered

    redis_server.start()
    fill(online_store(address, MODEL))
    assert eventually(lambda: reader.infer(asked).status == 200)
    assert SECRET not in reader.log.read_text()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"redis://:{SECRET[:6]}@redis:6379/0", "holds a password"),
        ("redis://:${NOT_SET}@redis:6379/0", "the variable NOT_SET of this address is not set"),
        ("mysql://redis/0", "there is no online store at mysql://"),
    ],
)
def test_an_address_that_cannot_be_taken_is_told_at_once(
    folder: Path, tmp_path: Path, address: str, said: str
):
    log = tmp_path / "log"
    process = launch(folder, log, "--online", address)
    try:
        assert process.wait(120) == 2
    finally:
        process.kill()
    assert said in log.read_text()
    assert SECRET[:6] not in log.read_text()

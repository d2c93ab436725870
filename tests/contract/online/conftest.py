"""Homes of the packed store: a file, and a server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.redis_server import RedisServer
from trimtab.ports.online import OnlineStore

Opens = Callable[[], OnlineStore]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--repl-diskless-sync-delay", "0")
    yield server
    server.kill()


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts a server of the test's own."""
    started: list[RedisServer] = []

    def start(*arguments: str, password: str = "") -> RedisServer:
        started.append(RedisServer(tmp_path / f"redis-{len(started)}", *arguments, password=password))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store."""
    if request.param == "sqlite":
        yield str(tmp_path / "folder" / "online.db")
        return
    server = request.getfixturevalue("redis_server")
    server.client().flushall()
    yield server.url


@pytest.fixture
def opens(home: str) -> Iterator[Opens]:
    """Opens that store, as often as wanted."""
    from trimtab.adapters.online import online_store

    opened: list[OnlineStore] = []

    def again() -> OnlineStore:
        opened.append(online_store(home, "shop"))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def store(opens: Opens) -> OnlineStore:
    return opens()
